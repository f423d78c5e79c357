# Writes diagnostics_r.json beside this file: influence of rows, inflation of variances and tests of specification,
# on the data of inference/.
#
# Rerun with: Rscript tests/reference/diagnostics.R
# Written by R 4.2.2 with lmtest 0.9.40, car 3.1.1 and jsonlite 1.8.4, which keeps 15 digits.
#
# A model is our formula, R's where it is spelled otherwise, and the options of the fit.

suppressPackageStartupMessages({
  library(lmtest)
  library(car)
  library(jsonlite)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))

model <- function(data, formula, r = formula, ...) list(data = data, formula = formula, r = r, options = list(...))
models <- list(
  investment = model("investment.csv", "RealInv ~ RealGNP + RealInt"),
  macro = model(
    "macro.csv", "np.log(realcons) ~ np.log(realdpi) + tbilrate + unemp",
    "log(realcons) ~ log(realdpi) + tbilrate + unemp"
  ),
  schools = model("california_schools.csv", "read ~ english + income*grades"),
  large_schools = model(
    "california_schools.csv", "read ~ english + income + lunch + grades",
    weights = "students", subset = "students > 3000"
  ),
  public_schools = model(
    "public_schools.csv", "expenditure ~ income + I(income**2)", "expenditure ~ income + I(income^2)"
  ),
  public_schools_weighted = model("public_schools.csv", "expenditure ~ income", weights = "income"),
  warpbreaks = model("warpbreaks.csv", "breaks ~ wool + tension"),
  no_intercept = model("investment.csv", "RealInv ~ RealGNP + RealInt - 1"),
  sectors = model(
    "employment.csv", "np.log(emp) ~ C(sector) + np.log(wage)*np.log(capital)",
    "log(emp) ~ factor(sector) + log(wage)*log(capital)"
  ),
  sectors_weighted = model(
    "employment.csv", "np.log(emp) ~ C(sector) + np.log(wage)*np.log(capital)",
    "log(emp) ~ factor(sector) + log(wage)*log(capital)", weights = "capital"
  ),
  titanic = model("titanic.csv", "survived ~ sex + age", weights = "people", weights_type = "frequency")
)

fitted_model <- function(m) {
  data <- read.csv(file.path(here, "inference", m$data), na.strings = "", stringsAsFactors = TRUE)
  if (!is.null(m$options$subset)) data <- data[eval(str2lang(m$options$subset), data), ]
  weights <- m$options$weights
  if (identical(m$options$weights_type, "frequency")) {
    data <- data[rep(seq_len(nrow(data)), data[[weights]]), ]
    weights <- NULL
  }
  space <- new.env(parent = globalenv())
  space$data <- data
  arguments <- list(quote(lm), as.formula(m$r, space), data = quote(data))
  space$fit <- eval(as.call(c(arguments, if (!is.null(weights)) list(weights = as.name(weights)))), space)
  space
}
spaces <- lapply(models, fitted_model)

influence_of <- function(name) {
  fit <- spaces[[name]]$fit
  list(
    model = name, hat = hatvalues(fit), rstandard = rstandard(fit), rstudent = rstudent(fit),
    predictive = rstandard(fit, type = "predictive"), sigma = influence(fit)$sigma, dfbeta = unname(dfbeta(fit)),
    dfbetas = unname(dfbetas(fit)), dffits = dffits(fit), covratio = covratio(fit), cooks = cooks.distance(fit)
  )
}

inflation_of <- function(name) {
  found <- suppressMessages(suppressWarnings(vif(spaces[[name]]$fit, type = "terms")))
  if (is.matrix(found)) return(list(model = name, gvif = found[, 1], df = found[, 2], root = found[, 3]))
  list(model = name, gvif = found, df = rep(1, length(found)), root = sqrt(found))
}

none <- setNames(list(), character())

# call: R's, of `fit` and `data`. row: the row of our table, from 0.
tested <- function(model, method, arguments, row, call) {
  found <- suppressMessages(eval(str2lang(call), spaces[[model]]))
  statistic <- if (is.null(found$ChiSquare)) found$statistic else found$ChiSquare
  df <- if (is.null(found$ChiSquare)) found$parameter else found$Df
  p <- if (is.null(found$p)) found$p.value else found$p
  list(
    model = model, method = method, arguments = arguments, row = row, call = call,
    statistic = unbox(unname(statistic)), df = I(as.numeric(df)), p_value = unbox(as.numeric(p))
  )
}
studentised <- function(model) tested(model, "breusch_pagan", none, 0, "bptest(fit)")
plain <- function(model) tested(model, "breusch_pagan", list(robust = FALSE), 0, "bptest(fit, studentize = FALSE)")
order_of <- list(time = "period")
tests <- list(
  studentised("investment"), studentised("macro"), studentised("schools"), studentised("warpbreaks"),
  studentised("titanic"), plain("investment"), plain("macro"), plain("schools"), plain("titanic"),
  tested("public_schools_weighted", "breusch_pagan", list(robust = FALSE), 0, "ncvTest(fit, ~ income)"),
  tested(
    "large_schools", "breusch_pagan", list(robust = FALSE), 0, "ncvTest(fit, ~ english + income + lunch + grades)"
  ),
  tested("investment", "white", none, 0, "bptest(fit, ~ RealGNP*RealInt + I(RealGNP^2) + I(RealInt^2), data = data)"),
  tested(
    "schools", "white", none, 0,
    "bptest(fit, ~ (english + income)*grades + english*income*grades + I(english^2) + I(income^2)*grades, data = data)"
  ),
  tested("warpbreaks", "white", none, 0, "bptest(fit, ~ wool*tension, data = data)"),
  tested("investment", "reset", none, 1, "resettest(fit)"),
  tested("macro", "reset", none, 1, "resettest(fit)"),
  tested("schools", "reset", none, 1, "resettest(fit)"),
  tested("schools", "reset", list(power = 2), 1, "resettest(fit, power = 2)"),
  tested("macro", "reset", list(power = 4), 1, "resettest(fit, power = 2:4)"),
  tested("no_intercept", "reset", none, 1, "resettest(fit)"),
  tested("titanic", "reset", list(power = 2), 1, "resettest(fit, power = 2)"),
  tested("investment", "reset", list(test_type = "exog"), 1, "resettest(fit, type = 'regressor')"),
  tested(
    "macro", "reset", list(test_type = "exog", power = list(3)), 1, "resettest(fit, power = 3, type = 'regressor')"
  ),
  tested("investment", "breusch_godfrey", none, 0, "bgtest(fit)"),
  tested("investment", "breusch_godfrey", list(lags = 3), 1, "bgtest(fit, order = 3, type = 'F')"),
  tested("no_intercept", "breusch_godfrey", list(lags = 2), 0, "bgtest(fit, order = 2)"),
  tested("no_intercept", "breusch_godfrey", list(lags = 2), 1, "bgtest(fit, order = 2, type = 'F')"),
  tested("macro", "breusch_godfrey", list(lags = 4), 0, "bgtest(fit, order = 4)"),
  tested(
    "macro", "breusch_godfrey", c(order_of, lags = 4), 0, "bgtest(fit, order = 4, order.by = ~ period, data = data)"
  ),
  tested(
    "macro", "breusch_godfrey", c(order_of, lags = 4), 1,
    "bgtest(fit, order = 4, order.by = ~ period, type = 'F', data = data)"
  ),
  tested("investment", "durbin_watson", none, 0, "dwtest(fit, exact = FALSE)"),
  tested("schools", "durbin_watson", list(alternative = "two-sided"), 0, "dwtest(fit, alternative = 'two.sided')"),
  tested("macro", "durbin_watson", list(alternative = "less"), 0, "dwtest(fit, alternative = 'less')"),
  tested("macro", "durbin_watson", order_of, 0, "dwtest(fit, order.by = ~ period, data = data)"),
  tested("no_intercept", "durbin_watson", none, 0, "dwtest(fit, exact = FALSE)")
)

results <- list(
  models = lapply(
    models, function(m) c(m[c("data", "formula")], list(options = if (length(m$options)) m$options else none))
  ),
  influence = lapply(c("large_schools", "public_schools", "public_schools_weighted"), influence_of),
  inflation = lapply(
    c(
      "schools", "large_schools", "public_schools", "warpbreaks", "sectors", "sectors_weighted", "no_intercept",
      "titanic"
    ),
    inflation_of
  ),
  tests = tests
)
write_json(results, file.path(here, "diagnostics_r.json"), digits = NA, auto_unbox = TRUE)
