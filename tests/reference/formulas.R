# Writes r_formulas.json (lm on mixed.csv) and r_predict.json (predict on newdata.csv) beside this file.
#
# Rerun with: Rscript tests/reference/formulas.R
# Written by R 4.2.2 with jsonlite 1.8.4, which keeps 15 digits.
#
# A case is our formula, R's where it is spelled otherwise, and how far the two must agree:
# "same": coefficients too; "span": all but coefficients and their errors, as only the span of the columns is the same.
# "dependent" records whether our columns are collinear, as R's are in a "same" case where coefficients are NA.

suppressPackageStartupMessages({
  library(splines)
  library(jsonlite)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
frame <- function(name) read.csv(file.path(here, name), na.strings = "", stringsAsFactors = TRUE)
mixed <- frame("mixed.csv")
newdata <- frame("newdata.csv")

# R's cut(z, 4) takes new breaks from new data; these are the ones it takes from mixed.csv.
equal_breaks <- function(x, n) {
  breaks <- seq(min(x), max(x), length.out = n + 1)
  breaks[c(1, n + 1)] <- breaks[c(1, n + 1)] + c(-1, 1) * diff(range(x)) / 1000
  breaks
}
breaks_z <- equal_breaks(mixed$z, 4)
moments <- function(x) list(mean = mean(x), sd = sd(x), sd_n = sqrt(mean((x - mean(x))^2)))
of_x <- moments(mixed$x)

call_lm <- function(r, data, weights = NULL, subset = NULL, offset = NULL) {
  extra <- Filter(Negate(is.null), list(weights = weights, subset = subset, offset = offset))
  call <- as.call(c(list(quote(lm), as.formula(r), data = quote(data)), lapply(extra, str2lang)))
  suppressWarnings(eval(call)) # log() of negative numbers
}

# Without an intercept R takes R-squared and F about zero; where the columns span the constant all the
# same (y ~ a - 1), we take them about the mean, as statsmodels does.
goodness <- function(fit) {
  s <- summary(fit)
  x <- model.matrix(fit)
  implied <- attr(terms(fit), "intercept") == 0 && all(abs(lm.fit(x, rep(1, nrow(x)))$residuals) < 1e-8)
  if (!implied) {
    return(list(rsquared = s$r.squared, rsquared_adj = s$adj.r.squared, fvalue = unname(s$fstatistic["value"])))
  }
  w <- if (is.null(fit$weights)) rep(1, nrow(x)) else fit$weights
  y <- model.response(model.frame(fit))
  ratio <- deviance(fit) / sum(w * (y - weighted.mean(y, w))^2)
  rank <- fit$rank
  n <- nobs(fit)
  list(
    rsquared = 1 - ratio,
    rsquared_adj = 1 - ratio * (n - 1) / (n - rank),
    fvalue = (1 - ratio) / (rank - 1) / (ratio / (n - rank))
  )
}

results <- function(fit, rows) {
  se <- coef(fit)
  se[] <- NA
  known <- suppressWarnings(summary(fit))$coefficients
  se[rownames(known)] <- known[, "Std. Error"]
  c(
    list(params = I(unname(coef(fit))), bse = I(unname(se))),
    suppressWarnings(goodness(fit)),
    list(
      sigma = sigma(fit), llf = as.numeric(logLik(fit)), ssr = deviance(fit), df_resid = df.residual(fit),
      nobs = nobs(fit), fitted = I(unname(fitted(fit))[rows][1:5])
    )
  )
}

# options: arguments of our fit. columns: of the data, for formulas with a dot.
case <- function(formula, r = formula, kind = "same", options = list(), subset = options$subset, columns = NULL) {
  data <- if (is.null(columns)) mixed else mixed[columns]
  rows <- TRUE
  weights <- options$weights
  if (identical(options$weights_type, "frequency")) {
    each <- rep(seq_len(nrow(data)), data[[weights]])
    data <- data[each, ]
    rows <- !duplicated(each)
    weights <- NULL
  }
  fit <- call_lm(r, data, weights, subset, options$offset)
  if (!is.null(fit$weights)) rows <- fit$weights > 0
  c(about(fit, formula, r, kind, options), if (!is.null(columns)) list(columns = columns), results(fit, rows))
}
about <- function(fit, formula, r, kind, options) {
  dependent <- kind == "same" && anyNA(coef(fit))
  if (!length(options)) options <- setNames(list(), character(0)) # {} in JSON
  list(formula = formula, r_formula = r, kind = kind, dependent = dependent, options = options)
}
span <- function(formula, r = formula, ...) case(formula, r, "span", ...)

some <- c("y", "x", "z", "a", "l")
cases <- list(
  # numbers
  case("y ~ 1"),
  case("y ~ x"),
  case("y ~ x + z + k + year"),
  case("y ~ x - 1"),
  case("y ~ 0 + x + z"),
  case("y ~ x + z + 0"),
  case("y ~ x:z"),
  case("y ~ x*z*k"),
  case("y ~ x^2 + z"),
  case("y ~ (x + z + k)^2"),
  case("y ~ (x + z + k)**3 - x:z:k"),
  case("y ~ x*z - x"),
  case("y ~ x - 1 + 1"),
  case("y ~ x + (z - 1)"),
  # factors and truth values
  case("y ~ a"),
  case("y ~ a + b + g + l"),
  case("y ~ a - 1"),
  case("y ~ 0 + b + a"),
  case("y ~ l - 1"),
  case("y ~ l + x + l:x"),
  case("y ~ l:x"),
  case("y ~ factor(k)"),
  case("y ~ as.factor(k)*x"),
  case("y ~ C(year)", "y ~ factor(year)"),
  case("y ~ factor(l) + C(b)"),
  case("y ~ factor(a, levels = c('mid', 'hi', 'Lo'))"),
  case("y ~ factor(a, levels = c('mid', 'hi'))"),
  case("y ~ factor(k, levels = c(2, 0, 1, 3), labels = c('c', 'a', 'b', 'd'))"),
  case("y ~ relevel(a, ref = 'mid')*x"),
  case("y ~ relevel(factor(k), ref = '2')"),
  case("y ~ relevel(factor(k), ref = 2)"), # R: the level at position 2
  # products of factors and numbers
  case("y ~ x*a"),
  case("y ~ a:x"),
  case("y ~ a*b"),
  case("y ~ a + a:b"),
  case("y ~ a*b - a"),
  case("y ~ a*b - b"),
  case("y ~ a*b - 1"),
  span("y ~ a:b"),
  case("y ~ a:b - 1"),
  span("y ~ a:l + x"),
  case("y ~ a*b*x"),
  case("y ~ a*b*x - a:b:x"),
  case("y ~ a*b*l"),
  case("y ~ a:b:x"),
  case("y ~ x:z:a + x"),
  case("y ~ a*g"),
  case("y ~ a*b*g"),
  case("y ~ (a + b + x)^2"),
  case("y ~ (a + b + l)^3 - a:b:l - b:l"),
  case("y ~ a/b"),
  case("y ~ a/x"),
  case("y ~ a/x - 1"),
  case("y ~ a/(b + x)"),
  case("y ~ (a + b)/x"),
  case("y ~ a + b %in% a"),
  span("y ~ b %in% a"),
  case("y ~ x + a %in% (b + l)"),
  span("y ~ b + g:b"), # R orders the factors of a term as the formula first names them
  case("y ~ b:x + z:x"),
  case("y ~ z:x + b:x"),
  case("y ~ x + a + x:a - a"),
  # the dot
  case("y ~ .", columns = some),
  case("y ~ . - z", columns = some),
  case("y ~ .^2", columns = some),
  case("y ~ . + I(x^2) - 1", columns = some),
  case("y ~ .:b + x", columns = c(some, "b")),
  case("log(y2) ~ . - x", columns = c("y2", "x", "a", "g")),
  # arithmetic
  case("y ~ I(x^2) + I(x*z) + I(k^2)"),
  case("y ~ x + I(x**3)", "y ~ x + I(x^3)"),
  case("y ~ I(-x^2) + I(2^k) + I(z^-0.5)"),
  case("y ~ I((x + z)^2 / z) + I(1/z)"),
  case("y ~ I(k %% 2) + I(year %/% 10)"),
  case("y ~ I(2 * k %% 3)"), # R: %% before *
  case("y ~ log(z) + sqrt(n) + exp(x) + log1p(n) + expm1(z)"),
  case("y ~ np.log(z) + np.sqrt(n)", "y ~ log(z) + sqrt(n)"),
  case("y ~ log(z, 2) + log10(n) + log(k + 1, base = 3)"),
  case("y ~ abs(x) + sign(x) + sin(z) + cos(z) + tanh(x)"),
  case("y ~ floor(z) + ceiling(x) + trunc(n) + round(z, 1)"),
  case("y ~ round(k / 20, 1)"),
  case("y ~ pmin(x, 0.5) + pmax(x, 0, z - 4)"),
  case("y ~ x + I(pmax(x - 0.5, 0))"),
  case("y ~ log(x)"), # rows with x < 0 are missing
  # conditions
  case("y ~ I(x > 0)"),
  case("y ~ I(x > 0 & z > 2)*z"),
  case("y ~ I(x > 0 | !l) + I(k != 2)"),
  case("y ~ I(a == 'hi') + I(!l)"),
  case("y ~ I(k %in% c(1, 3)) + I(g %in% c('e', 'w'))"),
  case("y ~ I(x * k %in% c(1, 3))"), # R: %in% before *
  case("y ~ I((k > 1) * x) + I(x * (x > 0))"),
  case("y ~ as.numeric(l) + as.numeric(k > 1)"),
  case("y ~ I(x > 0):z"),
  case("y ~ ifelse(x > 0, z, 0)"),
  case("y ~ ifelse(k > 1, 'high', 'low')*x"),
  case("y ~ ifelse(l, x, -x) + ifelse(a == 'hi' & x > 0, 1, 0)"),
  # polynomials
  case("y ~ poly(x, 1)"),
  case("y ~ poly(x, 2)"),
  case("y ~ poly(z, 3) + poly(x, degree = 4)"),
  case("y ~ poly(year, 4)"),
  case("y ~ poly(z, 3, raw = TRUE)"),
  case("y ~ poly(year, 2, raw = TRUE)"),
  case("y ~ poly(x, z, degree = 2)"),
  case("y ~ poly(x, z, degree = 3, raw = TRUE)"),
  case("y ~ poly(x, z, k, degree = 2)"),
  case("y ~ poly(x, 2)*a"),
  case("y ~ poly(x, 2):b"),
  case("y ~ poly(x, 2):poly(z, 2)"),
  case("y ~ poly(log(z), 2)"),
  # scaling
  case("y ~ scale(x)"),
  case("y ~ scale(x, center = FALSE) + scale(z, scale = FALSE)"),
  case("y ~ scale(x, center = 2, scale = 3)"),
  case("y ~ center(x)", "y ~ scale(x, scale = FALSE)"),
  case("y ~ standardize(x)", "y ~ I((x - of_x$mean) / of_x$sd_n)"),
  case("y ~ scale(log(z))*a"),
  case("y ~ scale(x_na)"),
  case("y ~ scale(x) + x_na"), # the mean of all rows, those that leave included
  # splines
  case("y ~ bs(z)"),
  case("y ~ bs(z, df = 5)"),
  case("y ~ bs(z, 4, degree = 2)"),
  case("y ~ bs(z, knots = c(2, 3, 4.5))"),
  case("y ~ bs(z, knots = 3, degree = 1)"),
  case("y ~ bs(z, df = 6, intercept = TRUE)"),
  case("y ~ bs(z, df = 6, include_intercept = True) - 1", "y ~ bs(z, df = 6, intercept = TRUE) - 1"),
  case("y ~ bs(year, df = 4) + a"),
  case("y ~ bs(z, df = 5)*a"),
  case("y ~ bs(x_na, df = 4)"),
  case("y ~ ns(z)"),
  case("y ~ ns(z, df = 3)"),
  case("y ~ ns(z, 5) + a"),
  case("y ~ ns(z, knots = c(2, 4))"),
  case("y ~ ns(z, df = 4, intercept = TRUE) - 1"),
  case("y ~ ns(z, 3)*b"),
  case("y ~ ns(x_na, df = 3)"),
  # contrasts
  case("y ~ C(a, contr.treatment(3, base = 2))"),
  case("y ~ C(a, Treatment('mid')) + x", "y ~ relevel(a, 'mid') + x"),
  case("y ~ C(a, contr.sum)"),
  case("y ~ C(a, Sum)*C(b, Sum)", "y ~ C(a, contr.sum)*C(b, contr.sum)"),
  case("y ~ C(a, contr.sum)*x"),
  case("y ~ C(g, contr.helmert)"),
  case("y ~ C(g, contr.poly)*b"),
  case("y ~ C(a, contr.SAS)"),
  case("y ~ C(a, contr.sum) - 1"),
  case("y ~ x:C(a, contr.helmert)"),
  span("y ~ C(a, contr.sum):b"),
  case("y ~ C(a, [[1, 1], [0, -2], [-1, 1]])", "y ~ C(a, cbind(c(1, 0, -1), c(1, -2, 1)))"),
  case("y ~ C(a, c(-1, 0, 1))"), # R adds a column
  # cutting
  case("y ~ cut(z, 4)"),
  case("y ~ cut(k, 3)*x"),
  case("y ~ cut(z, c(0, 2, 4, 7))"),
  case("y ~ cut(z, breaks = c(2, 3, 4))"), # rows outside are missing
  case("y ~ cut(year, c(2000, 2005, 2010, 2019), right = FALSE, include.lowest = TRUE)"),
  case("y ~ cut(year, c(2000, 2010, 2019), include.lowest = TRUE, labels = c('old', 'new'))*a"),
  # offsets
  case("y ~ x + offset(log(n))"),
  case("y ~ offset(x) + z + offset(2 * k)"),
  case("y ~ x + offset(log(n)) - 1"),
  case("y ~ offset(z)"),
  case("y ~ x + a", options = list(offset = "z")),
  case("log(y2) ~ x + offset(k)", options = list(offset = "z", weights = "w")),
  # responses
  case("log(y2) ~ x + a"),
  case("I(y > 1) ~ x*b"),
  case("l ~ x + z"),
  case("I(y^2) ~ poly(z, 2)"),
  case("sqrt(y2) ~ factor(k)"),
  case("y - x ~ z"),
  case("log(y) ~ z"), # rows with y < 0 are missing
  # weights, missing values, subsets
  case("y ~ x*a + z", options = list(weights = "w")),
  case("y ~ a - 1", options = list(weights = "w")),
  case("y ~ x - 1", options = list(weights = "w")),
  case("y ~ x*a", options = list(weights = "w0")),
  case("y ~ poly(x, 2) + bs(z, df = 4)", options = list(weights = "w0")),
  case("y ~ poly(x, 2) + b", options = list(weights = "f", weights_type = "frequency")),
  case("y ~ bs(z, df = 5)", options = list(weights = "f", weights_type = "frequency")),
  case("y ~ x*a + l", options = list(weights = "f", weights_type = "frequency")),
  case("y ~ a - 1", options = list(weights = "f", weights_type = "frequency")),
  case("y ~ x_na"),
  case("y ~ a_na*z"),
  case("y ~ x_na + a_na + log(z)"),
  case("y ~ I(x_na > 0) + ifelse(a_na == 'hi', 1, 0)"),
  case("y ~ x_na", options = list(weights = "w", offset = "z")),
  case("y ~ x*b", options = list(subset = "z > 2 & a != 'hi'")),
  case("y ~ a + x", options = list(subset = "a != 'Lo'")), # a level without rows
  case("y ~ g*x", options = list(subset = "l")),
  case("y ~ z", options = list(subset = "x_na > 0")), # a missing condition is no
  case("y ~ poly(x, 2) + scale(z)", options = list(subset = "z > 2")), # R learns from all rows
  case("y ~ bs(z, df = 5)", options = list(subset = "x > 0")),
  # dependent columns
  case("y ~ x + I(2*x) + z"),
  case("y ~ I(x + z) + x + z"),
  case("y ~ k + factor(k)"),
  case("y ~ poly(k, 3) + factor(k)"),
  case("y ~ a + I(a == 'hi') + x")
)

prediction <- function(formula, r = formula, kind = "same", options = list()) {
  fit <- call_lm(r, mixed, options$weights, offset = options$offset)
  predicted <- suppressWarnings(predict(fit, newdata, na.action = na.pass))
  c(about(fit, formula, r, kind, options), list(predicted = I(unname(predicted))))
}

predictions <- list(
  prediction("y ~ x + z*a + l"),
  prediction("y ~ poly(x, 3)"),
  prediction("y ~ poly(x, 3, raw = TRUE)"),
  prediction("y ~ poly(year, 4)"),
  prediction("y ~ poly(x, z, degree = 2)"),
  prediction("y ~ poly(x, z, degree = 2, raw = TRUE)"),
  prediction("y ~ bs(z, df = 5)"),
  prediction("y ~ bs(z, knots = c(2, 4), degree = 2)"),
  prediction("y ~ bs(z, df = 5, intercept = TRUE) - 1"),
  prediction("y ~ ns(z, df = 4)"),
  prediction("y ~ ns(z, knots = c(2, 4), intercept = TRUE) - 1"),
  prediction("y ~ ns(x, df = 3)"), # x goes beyond its boundary knots
  prediction("y ~ ns(x, df = 4)*b"),
  prediction("y ~ scale(x)"),
  prediction("y ~ scale(x, center = FALSE)"),
  prediction("y ~ scale(x, scale = FALSE)"),
  prediction("y ~ center(x)*standardize(z)", "y ~ x*z"),
  prediction("y ~ scale(log(z))"),
  prediction("y ~ poly(log(z), 2)"),
  prediction("y ~ bs(log(z), df = 4)"),
  prediction("y ~ I(scale(x)^2)", "y ~ I(((x - of_x$mean) / of_x$sd)^2)"),
  prediction("y ~ cut(z, 4)", "y ~ cut(z, breaks_z)"),
  prediction("y ~ cut(z, c(0, 2, 4, 7))*x"),
  prediction("y ~ factor(k)"),
  prediction("y ~ C(g, contr.sum) + C(a, contr.helmert)*x"),
  prediction("y ~ relevel(a, ref = 'mid')*x"),
  prediction("y ~ I(x > 0)*z + ifelse(k > 1, z, 0)"),
  prediction("y ~ poly(x, 2)*a"),
  prediction("y ~ bs(z, df = 4):b"),
  prediction("y ~ scale(x):g + ns(z, 2)*l"),
  prediction("y ~ a*b*x"),
  prediction("y ~ a:b", kind = "span"),
  prediction("y ~ x + offset(log(n))"),
  prediction("y ~ x", options = list(offset = "z")),
  prediction("y ~ x + offset(k)", options = list(offset = "z", weights = "w")),
  prediction("log(y2) ~ poly(x, 2) + a"),
  prediction("y ~ x_na + a_na"),
  prediction("y ~ scale(x_na)*z"),
  prediction("y ~ bs(x_na, df = 4) + a_na"),
  prediction("y ~ x + I(2*x) + z")
)

write <- function(what, name) {
  json <- vapply(what, toJSON, "", auto_unbox = TRUE, digits = NA, na = "null", null = "null")
  writeLines(c("[", paste0(json, c(rep(",", length(json) - 1), "")), "]"), file.path(here, name))
}
write(cases, "r_formulas.json")
write(predictions, "r_predict.json")
