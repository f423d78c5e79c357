# glm() with HC1 errors by sandwich: Rscript glm.R FAMILY numeric|factor N; prints JSON in its last line.
suppressMessages({library(sandwich); library(jsonlite)})
given <- commandArgs(trailingOnly = TRUE)
family <- if (given[1] == "binomial") binomial() else poisson()
make <- function(n) {
  set.seed(1)
  if (given[2] == "numeric") {
    d <- data.frame(x1 = rnorm(n), x2 = rnorm(n), x3 = rnorm(n), x4 = rnorm(n), x5 = rnorm(n))
    eta <- 0.3 * d$x1 - 0.2 * d$x2 + 0.1 * d$x3 + 0.4 * d$x4 - 0.5
  } else {
    d <- data.frame(x1 = rnorm(n), a = sample(0:9, n, TRUE), b = sample(0:11, n, TRUE))
    eta <- 0.3 * d$x1 + 0.05 * d$a - 0.03 * d$b - 0.2
  }
  d$y <- if (given[1] == "binomial") as.numeric(runif(n) < plogis(eta)) else rpois(n, exp(eta))
  d
}
formula <- if (given[2] == "numeric") y ~ x1 + x2 + x3 + x4 + x5 else y ~ x1 + factor(a) * factor(b)
run <- function(d) sqrt(diag(vcovHC(glm(formula, family, d), "HC1")))
peak <- function() as.numeric(gsub("\\D", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE)))
invisible(run(make(5000)))
d <- make(as.numeric(given[3]))
invisible(gc())
before <- peak()
times <- sapply(1:3, function(i) system.time(run(d))["elapsed"])
cat(toJSON(list(seconds = min(times), extra_mb = (peak() - before) / 1024), auto_unbox = TRUE), "\n")
