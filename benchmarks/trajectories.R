# One measurement of flexmix for trajectories.py, as a line of JSON:
# Rscript trajectories.R FILE FORMULA GROUPS FAMILY SEED STARTS
# One start: flexmix() as it comes. Several: stepFlexmix(), and EM from its best until nothing changes in 12 digits.
suppressMessages(library(flexmix))
given <- commandArgs(trailingOnly = TRUE)
data <- read.csv(given[1])
formula <- as.formula(given[2])
groups <- as.integer(given[3])
starts <- as.integer(given[6])
if (given[4] == "logit") formula <- update(formula, cbind(y, 1 - y) ~ .)
driver <- switch(given[4],
  gaussian = FLXMRglmfix(family = "gaussian", varFix = TRUE),
  poisson = FLXMRglm(family = "poisson"),
  logit = FLXMRglm(family = "binomial"))
# Without minprior=0 groups below 5% are dropped.
control <- list(minprior = 0, iter.max = 1000)
fit <- function(data, k) {
  if (starts == 1) return(flexmix(formula, data = data, k = k, model = driver, control = control))
  best <- stepFlexmix(formula, data = data, k = k, nrep = starts, model = driver, control = control, verbose = FALSE)
  flexmix(formula, data = data, cluster = posterior(best), model = driver,
    control = list(minprior = 0, iter.max = 5000, tolerance = 1e-12))
}
peak <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
set.seed(0)
invisible(fit(data[data$id <= data$id[1] + 30, ], 2))
invisible(gc())
cat("5", file = "/proc/self/clear_refs")
before <- peak()
set.seed(as.integer(given[5]))
used <- system.time(model <- fit(data, groups))
cat(sprintf('{"seconds": %.6f, "cpu": %.6f, "extra_mb": %.3f, "loglik": %.8f, "groups": %d}\n', used[["elapsed"]],
  used[["user.self"]] + used[["sys.self"]], peak() - before, as.numeric(logLik(model)), model@k))
