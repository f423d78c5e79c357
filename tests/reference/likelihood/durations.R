# Durations with censoring: Weibull, log-normal and log-logistic regressions by survival::survreg.
# Writes durations.csv and durations_r.json beside this file.
#
# Rerun with: Rscript tests/reference/likelihood/durations.R
# Written by R 4.2.2 with survival 3.5.3 and jsonlite 1.8.4, which keeps 15 digits.
library(survival)
library(jsonlite)

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
set.seed(7)
n <- 150
x <- round(rnorm(n), 3)
group <- rep(c("a", "b", "c"), length.out = n)
time <- exp(1 + 0.5 * x - 0.4 * (group == "b") + 0.7 * log(rexp(n)))
end <- rexp(n, 1 / 8)
data <- data.frame(x, group, time = round(pmax(pmin(time, end), 0.01), 4), event = as.integer(time <= end))
write.csv(data, file.path(here, "durations.csv"), row.names = FALSE, quote = FALSE)
data <- read.csv(file.path(here, "durations.csv"))

fitted <- function(distribution) {
  control <- survreg.control(rel.tolerance = 1e-14, toler.chol = 1e-14, maxiter = 100)
  fit <- survreg(Surv(time, event) ~ x + group, data, dist = distribution, control = control)
  list(
    coefficients = unname(coef(fit)), scale = fit$scale, loglik = fit$loglik[2],
    # Of the coefficients, then of the logarithm of the scale.
    errors = unname(sqrt(diag(vcov(fit)))), null = fit$loglik[1]
  )
}

found <- lapply(c(weibull = "weibull", lognormal = "lognormal", loglogistic = "loglogistic"), fitted)
found$versions <- list(R = R.version.string, survival = as.character(packageVersion("survival")))
write(toJSON(found, digits = NA, auto_unbox = TRUE, pretty = TRUE), file.path(here, "durations_r.json"))
