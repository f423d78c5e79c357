# Reference values from R's flexmix for tests/test_trajectories.py; run in this folder: Rscript trajectories.R
# The data were simulated by tests/reference/make_trajectories.py. flexmix's EM stops 1e-3 to 1e-2 short of the maximum.
suppressMessages({library(flexmix); library(jsonlite)})
cases <- list(
  normal = list(k = 3, driver = function() FLXMRglmfix(family = "gaussian", varFix = TRUE)),
  poisson = list(k = 3, driver = function() FLXMRglm(family = "poisson")),
  logit = list(k = 2, driver = function() FLXMRglm(family = "binomial"))
)
out <- list(flexmix = as.character(packageVersion("flexmix")), R = R.version.string)
for (name in names(cases)) {
  case <- cases[[name]]
  d <- read.csv(file.path("trajectories", paste0(name, ".csv")))
  d <- d[!is.na(d$y), ]
  set.seed(1)
  formula <- if (name == "logit") cbind(y, 1 - y) ~ t + I(t^2) | id else y ~ t + I(t^2) | id
  first <- stepFlexmix(formula, data = d, k = case$k, nrep = 20, verbose = FALSE,
    model = case$driver(), control = list(iter.max = 500, minprior = 0))
  m <- flexmix(formula, data = d, cluster = posterior(first), model = case$driver(),
    control = list(tolerance = 1e-12, iter.max = 5000, minprior = 0))
  p <- parameters(m)
  post <- posterior(m)[!duplicated(d$id), ]
  out[[name]] <- list(loglik = as.numeric(logLik(m)), coef = unname(t(p[1:3, ])),
    sigma = if (name == "normal") unname(p["sigma", 1]) else NULL,
    shares = unname(prior(m)), posterior_sums = unname(colSums(post)))
}
write_json(out, "trajectories/flexmix.json", digits = 14, auto_unbox = TRUE, pretty = TRUE)
