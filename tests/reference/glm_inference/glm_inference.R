# Writes glm_inference.json beside this file: influence, analysis of deviance, tests of nested models, of dispersion, link
# and calibration, and quantile residuals of generalized linear models, on the data of ../glm.
#
# Rerun with: Rscript tests/reference/glm_inference/glm_inference.R
# Written by R 4.2.2 with car 3.1-1, AER 1.2-10, lmtest 0.9-40, sandwich 3.0-2, statmod 1.5.0 and jsonlite 1.8.4, which
# keeps 15 digits.

suppressPackageStartupMessages({
  library(AER)
  library(car)
  library(jsonlite)
  library(lmtest)
  library(sandwich)
  library(statmod)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
read <- function(name) read.csv(file.path(here, "..", "glm", name), stringsAsFactors = TRUE)
ENDLESS <- glm.control(epsilon = 1e-15, maxit = 100)

affairs <- read("affairs.csv")
ships <- read("ships.csv")
births <- read("birthwt.csv")
insurance <- read("insurance.csv")
wages <- read("wages.csv")

# The last name says which coefficients the smaller model lacks.
fits <- list(
  births_logit = glm(low ~ age + lwt + race * smoke, binomial, births, control = ENDLESS),
  births_probit = glm(low ~ age + lwt + race + smoke, binomial("probit"), births, control = ENDLESS),
  insurance_trials = glm(cbind(claims, others) ~ district + engine + age, binomial, insurance, control = ENDLESS),
  insurance_poisson = glm(claims ~ district + engine + age + offset(log(holders)), poisson, insurance, control = ENDLESS),
  ships_poisson = glm(incidents ~ type + construction + operation + offset(log_service), poisson, ships, control = ENDLESS),
  ships_quasi = glm(incidents ~ type + construction + operation + offset(log_service), quasipoisson, ships, control = ENDLESS),
  affairs_quasi = glm(affairs ~ gender + age + rating * children, quasipoisson, affairs, control = ENDLESS),
  wages_gamma = glm(wage ~ education * gender + experience + union, Gamma("log"), wages, control = ENDLESS),
  wages_inverse = glm(wage ~ education + experience, Gamma, wages, control = ENDLESS),
  wages_ig = glm(wage ~ education + gender, inverse.gaussian("log"), wages, control = ENDLESS)
)
dispersed <- function(fit) !family(fit)$family %in% c("binomial", "poisson")

# -- influence: R's hatvalues, cooks.distance, rstandard of both kinds, rstudent, and the step without a row ------------

# Twelve rows; numbered from 0.
rows_of <- function(fit) round(seq(2, nobs(fit) - 1, length.out = 12))
influence_of <- function(fit) {
  step <- function(i) {
    # One step of iterated least squares from the estimates, without the row.
    w <- weights(fit, "working")[-i]
    z <- (fit$linear.predictors + residuals(fit, "working") - if (is.null(fit$offset)) 0 else fit$offset)[-i]
    coef(lm.wfit(model.matrix(fit)[-i, ], z, w))
  }
  rows <- rows_of(fit)
  of <- function(values) unname(values[rows])
  one <- function(i) unname(coef(fit) - step(i))
  list(
    rows = I(rows - 1),
    hat = of(hatvalues(fit)), cooks = of(cooks.distance(fit)), pearson = of(rstandard(fit, type = "pearson")),
    deviance = of(rstandard(fit)), student = of(rstudent(fit)), step = t(vapply(rows, one, coef(fit)))
  )
}

# -- tables ---------------------------------------------------------------------------------------------------------------

columns <- function(table) {
  names(table) <- trimws(names(table))
  c(list(terms = rownames(table)), lapply(as.list(as.data.frame(table)), function(x) I(unname(x))))
}
tables <- function(fit) {
  by <- if (dispersed(fit)) "F" else "LRT"
  adjusted <- if (dispersed(fit)) "F" else "LR"
  list(
    test = by, first = columns(anova(fit, test = by)),
    first_chi = columns(anova(fit, test = "LRT")),
    second = columns(Anova(fit, type = 2, test.statistic = adjusted)),
    second_lr = columns(Anova(fit, type = 2, test.statistic = "LR")),
    third = columns(Anova(fit, type = 3, test.statistic = adjusted)),
    wald = columns(suppressMessages(Anova(fit, type = 2, test.statistic = "Wald", vcov. = vcovHC(fit, type = "HC0"))))
  )
}

# -- a smaller model ------------------------------------------------------------------------------------------------------

smaller <- list(
  births_logit = . ~ . - lwt - race:smoke, births_probit = . ~ . - lwt - smoke, insurance_trials = . ~ . - engine,
  insurance_poisson = . ~ . - engine, ships_poisson = . ~ . - type, ships_quasi = . ~ . - type,
  affairs_quasi = . ~ . - age - gender, wages_gamma = . ~ . - union - education:gender, wages_inverse = . ~ . - experience,
  wages_ig = . ~ . - gender
)
comparison <- function(name) {
  fit <- fits[[name]]
  less <- update(fit, smaller[[name]])
  by <- if (dispersed(fit)) "F" else "LRT"
  models <- anova(less, fit, test = by)
  p <- models[2, ncol(models)]
  rao <- anova(less, fit, test = "Rao")
  # By the dispersion of the smaller model, as ours.
  score <- rao$Rao[2] / summary(less)$dispersion
  robust <- waldtest(less, fit, vcov = vcovHC(fit, type = "HC0"), test = "Chisq")
  list(
    formula = deparse1(formula(less)), df = models$Df[2], deviance = models$Deviance[2],
    statistic = if (by == "F") models$F[2] else models$Deviance[2], p = p, score = score,
    wald = waldtest(less, fit, vcov = vcov(fit), test = "Chisq")$Chisq[2], wald_hc0 = robust$Chisq[2],
    aic = if (dispersed(fit)) NULL else c(AIC(less), AIC(fit))
  )
}

# -- specification --------------------------------------------------------------------------------------------------------

dispersion <- function(fit) {
  first <- dispersiontest(fit)
  second <- dispersiontest(fit, trafo = 2)
  list(
    nb1 = unname(first$statistic), nb1_p = first$p.value, nb1_alpha = unname(first$estimate) - 1,
    nb2 = unname(second$statistic), nb2_p = second$p.value, nb2_alpha = unname(second$estimate)
  )
}
hosmer <- function(fit, groups) {
  y <- fit$y
  p <- fitted(fit)
  cell <- cut(p, quantile(p, seq(0, 1, 1 / groups)), include.lowest = TRUE)
  observed <- cbind(tapply(1 - y, cell, sum), tapply(y, cell, sum))
  expected <- cbind(tapply(1 - p, cell, sum), tapply(p, cell, sum))
  list(groups = groups, statistic = sum((observed - expected)^2 / expected), df = groups - 2)
}
link <- function(fit) {
  data <- model.frame(fit)
  data$.hat <- fit$linear.predictors
  again <- glm(fit$y ~ .hat + I(.hat^2), family(fit), data, weights = fit$prior.weights, control = ENDLESS)
  unname(coef(again)[2:3] / sqrt(diag(vcov(again)))[2:3])
}

# At the dispersion of the summary; statmod's own is another one for the inverse Gaussian.
quantiles <- function(fit) {
  phi <- summary(fit)$dispersion
  p <- switch(family(fit)$family,
    Gamma = pgamma(fit$y, shape = 1 / phi, scale = fitted(fit) * phi),
    inverse.gaussian = pinvgauss(fit$y, mean = fitted(fit), dispersion = phi)
  )
  if (!is.null(p)) unname(qnorm(p)[rows_of(fit)])
}

record <- function(name) {
  fit <- fits[[name]]
  list(
    call = deparse1(fit$call), influence = influence_of(fit), tables = tables(fit), smaller = comparison(name),
    dispersion = if (family(fit)$family == "poisson") dispersion(fit),
    hosmer = if (all(fit$y %in% 0:1)) list(hosmer(fit, 10), hosmer(fit, 6)), link = link(fit),
    quantile = quantiles(fit)
  )
}
json <- vapply(names(fits), function(name) {
  paste0(toJSON(name, auto_unbox = TRUE), ": ", toJSON(record(name), auto_unbox = TRUE, digits = NA, null = "null", na = "null"))
}, "")
writeLines(c("{", paste0(json, c(rep(",", length(json) - 1), "")), "}"), file.path(here, "glm_inference.json"))
