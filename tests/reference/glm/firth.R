# Writes firth_r.json beside this file: likelihoods with Jeffreys's penalty by brglm2, separated data among them.
#
# Rerun with: Rscript tests/reference/glm/firth.R
# Written by R 4.2.2 with brglm2 0.9 and jsonlite 1.8.4, which keeps 15 digits.
#
# "AS_mean" are the adjusted scores that remove the bias of the mean: of the logit, and of counts with a log link, those
# of Jeffreys's penalty. "MPL_Jeffreys" is the penalty itself, for any link.

suppressPackageStartupMessages({
  library(brglm2)
  library(jsonlite)
})
invisible(Sys.setlocale("LC_COLLATE", "C"))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))

model <- function(data, formula, family, link, type = "MPL_Jeffreys", ...) {
  list(data = data, formula = formula, family = family, link = link, type = type, ...)
}
births <- "low ~ age + lwt + race + smoke + ht + ui"
# Rows of level 3 of ptl, and of 4 and 6 of ftv, all have one outcome.
levels <- "low ~ age + lwt + smoke + C(ptl) + C(ftv)"
# low is whether bwt is below 2500.
complete <- "low ~ bwt + age"
ships <- "incidents ~ type * construction + operation"
MODELS <- list(
  births_logit = model("birthwt.csv", births, "binomial", "logit"),
  births_logit_adjusted = model("birthwt.csv", births, "binomial", "logit", "AS_mean"),
  births_probit = model("birthwt.csv", births, "binomial", "probit"),
  births_cloglog = model("birthwt.csv", births, "binomial", "cloglog"),
  births_cauchit = model("birthwt.csv", births, "binomial", "cauchit"),
  births_log = model("birthwt.csv", "low ~ smoke + ui", "binomial", "log"),
  levels_logit = model("birthwt.csv", levels, "binomial", "logit", separated = TRUE),
  levels_probit = model("birthwt.csv", levels, "binomial", "probit", separated = TRUE),
  levels_cloglog = model("birthwt.csv", levels, "binomial", "cloglog", separated = TRUE),
  complete_logit = model("birthwt.csv", complete, "binomial", "logit", separated = TRUE),
  complete_probit = model("birthwt.csv", complete, "binomial", "probit", separated = TRUE),
  housing_logit = model("housing.csv", "high ~ Infl + Type + Cont", "binomial", "logit", weights = "Freq"),
  housing_probit = model("housing.csv", "high ~ Infl * Cont", "binomial", "probit", weights = "Freq"),
  ships_poisson = model("ships.csv", ships, "poisson", "log", "AS_mean", offset = "log_service", separated = TRUE),
  ships_penalised = model("ships.csv", ships, "poisson", "log", offset = "log_service", separated = TRUE),
  ships_sqrt = model("ships.csv", "incidents ~ type + operation", "poisson", "sqrt"),
  biochemists_poisson = model("biochemists.csv", "art ~ fem + mar + kid5 + phd + ment", "poisson", "log")
)

fitted_by <- function(model) {
  data <- read.csv(file.path(here, model$data), stringsAsFactors = TRUE)
  formula <- as.formula(gsub("C(", "factor(", model$formula, fixed = TRUE))
  call <- c(
    list(quote(glm), formula, eval(call(model$family, link = model$link))),
    list(data = quote(data), method = quote(brglmFit)),
    # Full steps overshoot for ever where a row has a level to itself.
    list(control = list(type = model$type, epsilon = 1e-13, maxit = 5000, slowit = 0.2)),
    if (!is.null(model$weights)) list(weights = as.name(model$weights)),
    if (!is.null(model$offset)) list(offset = as.name(model$offset))
  )
  environment(call[[2]]) <- environment()
  fit <- suppressWarnings(eval(as.call(call)))
  kept <- !is.na(coef(fit))
  left <- max(abs(fit$grad[seq_len(sum(kept))] * sqrt(diag(vcov(fit)))[kept]))
  c(model, list(
    params = unname(coef(fit)), bse = unname(replace(coef(fit), kept, sqrt(diag(vcov(fit)))[kept])),
    llf = as.numeric(logLik(fit)), deviance = fit$deviance, left = left
  ))
}
results <- lapply(names(MODELS), function(name) c(name = name, fitted_by(MODELS[[name]])))
print(vapply(results, function(r) r$left, 0))
writeLines(toJSON(results, digits = NA, auto_unbox = TRUE, pretty = TRUE, na = "null"), file.path(here, "firth_r.json"))
