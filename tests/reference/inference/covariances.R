# Writes covariances_r.json beside this file: covariances of lm by sandwich and clubSandwich, p-values and intervals by
# lmtest, for the models of covariance_models.json.
#
# Rerun with: Rscript tests/reference/inference/covariances.R
# Written by R 4.2.2 with sandwich 3.0-2, clubSandwich 0.5.8, lmtest 0.9-40 and jsonlite 1.8.4, which keeps 15 digits.
#
# A record is the text of R's call, what it returned, and our estimator for it. Coefficients stand in our order.

suppressPackageStartupMessages({
  library(sandwich)
  library(lmtest)
  library(clubSandwich)
  library(jsonlite)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
models <- fromJSON(file.path(here, "covariance_models.json"), simplifyVector = FALSE)
version <- function(package) paste(package, packageDescription(package)$Version)
PEERS <- c(vcovCR = version("clubSandwich"), jackknife = "lm without one cluster at a time", vcov = "stats")

# The covariance of refits without one cluster at a time, about the full estimate, without a factor.
jackknife <- function(fit, cluster) {
  without <- function(g) coef(update(fit, data = fit$data[cluster != g, ]))
  crossprod(t(vapply(unique(cluster), without, coef(fit)) - coef(fit)))
}

estimated <- function(model) {
  space <- new.env(parent = globalenv())
  data <- read.csv(file.path(here, model$data), na.strings = "", stringsAsFactors = TRUE)
  if (!is.null(model$subset)) data <- data[eval(str2lang(model$subset), data), ]
  # vcovPL(aggregate = FALSE) of sandwich 3.0-2 takes the last row's unit for the last unit.
  if (!is.null(data$firm)) data$firm <- factor(data$firm, unique(data$firm))
  weights <- model$weights
  if (identical(model$weights_type, "frequency")) {
    data <- data[rep(seq_len(nrow(data)), data[[weights]]), ]
    weights <- NULL
  }
  space$data <- data
  formula <- as.formula(if (is.null(model$r)) model$formula else model$r, space)
  arguments <- c(list(quote(lm), formula, data = quote(data)), if (!is.null(weights)) list(weights = as.name(weights)))
  space$fit <- eval(as.call(arguments), space)
  space$fit$data <- data
  space
}

# call: R's, of `fit` and `data`. df: of the t that p-values and intervals take; none are recorded without.
record <- function(model, call, vcov, df = NULL) {
  space <- spaces[[model]]
  V <- eval(str2lang(call), space)
  V <- matrix(as.numeric(V), nrow(V))
  stopifnot(isTRUE(all.equal(V, t(V))))
  peer <- PEERS[sub("\\(.*", "", call)]
  results <- list(
    model = model, peer = if (is.na(peer)) version("sandwich") else unname(peer), call = call, vcov = vcov,
    params = I(unname(coef(space$fit))), cov = V
  )
  if (is.null(df)) return(c(results, list(tests = list())))
  fit <- space$fit
  dimnames(V) <- list(names(coef(fit)), names(coef(fit)))
  test <- list(
    use_t = NULL, df = df, pvalues = I(unname(coeftest(fit, vcov. = V, df = df)[, 4])),
    conf_int = unname(coefci(fit, vcov. = V, df = df))
  )
  c(results, list(tests = list(test)))
}
spaces <- lapply(models, estimated)
rest <- function(model) df.residual(spaces[[model]]$fit)
count <- function(model, by) min(vapply(by, function(name) length(unique(spaces[[model]]$data[[name]])), 0L))
text <- paste0
quoted <- function(by) paste0("~", paste(by, collapse = " + "))

# -- independent rows

rows <- function(model) {
  iid <- record(model, "vcov(fit)", list(estimator = "IID"), rest(model))
  types <- paste0("HC", c(0:4, "4m", 5))
  c(list(iid), lapply(types, function(type) {
    record(model, text("vcovHC(fit, type = '", type, "')"), list(estimator = type), rest(model))
  }))
}
# Of a weighted lm vcovHC's "const" is another matrix.
constant <- function(model) list(record(model, "vcovHC(fit, type = 'const')", list(estimator = "IID"), rest(model)))
# A glm's scores are divided by its dispersion, ssr / n; those of an lm are not.
gradients <- function(model) {
  list(record(model, "vcovOPG(glm(formula(fit), data = data))", list(estimator = "OPG"), rest(model)))
}

# -- clusters

cluster <- function(by, ...) list(estimator = "Cluster", by = I(by), ...)
clustered <- function(model, by) {
  call <- function(type, cadjust) {
    text("vcovCL(fit, cluster = ", quoted(by), ", type = '", type, "', cadjust = ", cadjust, ")")
  }
  df <- count(model, by) - 1
  list(
    record(model, call("HC1", TRUE), cluster(by, adjust = TRUE), df),
    record(model, call("HC0", TRUE), cluster(by, adjust = "clusters"), df),
    record(model, call("HC0", FALSE), cluster(by, adjust = FALSE), df),
    record(model, call("HC1", FALSE), cluster(by, adjust = "parameters"), df)
  )
}
# vcovCL divides each HC3 by G / (G - 1), and cadjust multiplies it back. With weights it is not a jackknife.
jackknifed <- function(model, by) {
  call <- function(cadjust) text("vcovCL(fit, cluster = ", quoted(by), ", type = 'HC3', cadjust = ", cadjust, ")")
  list(
    record(model, call(TRUE), cluster(by, kind = "CRV3", adjust = FALSE), count(model, by) - 1),
    record(model, call(FALSE), cluster(by, kind = "CRV3", adjust = "jackknife"), count(model, by) - 1)
  )
}
refitted <- function(model, by) {
  g <- count(model, by)
  call <- text("jackknife(fit, data$", by, ")")
  scaled <- text(call, " * ", g - 1, " / ", g)
  list(
    record(model, call, cluster(by, kind = "CRV3", adjust = FALSE)),
    record(model, scaled, cluster(by, kind = "CRV3", adjust = TRUE), g - 1)
  )
}
adjusted <- function(model, by) {
  list(record(
    model, text("vcovCR(fit, cluster = data$", by, ", type = 'CR3')"), cluster(by, kind = "CRV3", adjust = FALSE)
  ))
}

# -- time

newey_west <- function(model, lags, time = NULL) {
  order <- if (is.null(time)) "" else text(", order.by = data$", time)
  one <- function(adjust) {
    call <- text("NeweyWest(fit, lag = ", lags, order, ", prewhite = FALSE, adjust = ", adjust, ")")
    record(model, call, list(estimator = "NeweyWest", lags = lags, adjust = adjust, time = time), rest(model))
  }
  list(one(FALSE), one(TRUE))
}
# kernHAC names a bandwidth: the first lag of weight zero, and the last lag of the truncated kernel.
kernel <- function(model, lags, time) {
  one <- function(name, ours, bandwidth, adjust) {
    call <- text(
      "kernHAC(fit, kernel = '", name, "', bw = ", bandwidth, ", order.by = data$", time,
      ", prewhite = FALSE, adjust = ", adjust, ")"
    )
    named <- list(estimator = "NeweyWest", lags = lags, adjust = adjust, time = time, kernel = ours)
    record(model, call, named, rest(model))
  }
  list(
    one("Bartlett", "bartlett", lags + 1, FALSE), one("Parzen", "parzen", lags + 1, FALSE),
    one("Parzen", "parzen", lags + 1, TRUE), one("Truncated", "uniform", lags, FALSE)
  )
}
# Lags are counted in years, also where a firm's rows leave some out: our step = "period".
panel <- function(model, lags, aggregate) {
  df <- count(model, if (aggregate) "year" else "firm") - 1
  one <- function(adjust) {
    call <- text(
      "vcovPL(fit, cluster = ~firm, order.by = ~year, lag = ", lags, ", aggregate = ", aggregate,
      ", adjust = ", adjust, ")"
    )
    named <- if (aggregate) list(estimator = "DriscollKraay") else list(estimator = "PanelHAC", unit = "firm")
    record(model, call, c(named, list(time = "year", lags = lags, adjust = adjust)), df)
  }
  list(one(FALSE), one(TRUE))
}

both <- c("firm", "year")
records <- c(
  rows("petersen"), constant("petersen"), gradients("petersen"),
  clustered("petersen", "firm"), clustered("petersen", "year"), clustered("petersen", both),
  jackknifed("petersen", "firm"), jackknifed("petersen", "year"), jackknifed("petersen", both),
  adjusted("petersen", "year"),
  panel("petersen", 2, TRUE), panel("petersen", 3, FALSE),
  clustered("employment", "firm"), clustered("employment", both),
  clustered("employment", c(both, "sector")),
  jackknifed("employment", "firm"), jackknifed("employment", both), refitted("employment", "sector"),
  adjusted("employment", "firm"),
  panel("employment", 1, TRUE), panel("employment", 2, FALSE),
  rows("employment_sectors"), constant("employment_sectors"), gradients("employment_sectors"),
  clustered("employment_sectors", "firm"), clustered("employment_sectors", both),
  rows("employment_weighted"), clustered("employment_weighted", both), refitted("employment_weighted", "firm"),
  panel("employment_weighted", 2, TRUE), panel("employment_weighted", 1, FALSE),
  clustered("employment_gaps", both), panel("employment_gaps", 2, TRUE), panel("employment_gaps", 2, FALSE),
  rows("schools"), constant("schools"), gradients("schools"), clustered("schools", "county"),
  jackknifed("schools", "county"), refitted("schools", "county"),
  rows("schools_weighted"), clustered("schools_weighted", "county"), refitted("schools_weighted", "county"),
  rows("public_schools"), constant("public_schools"), gradients("public_schools"),
  rows("macro"), newey_west("macro", 0, "period"), newey_west("macro", 1, "period"), newey_west("macro", 4, "period"),
  newey_west("macro", 12, "period"), newey_west("macro", 4), kernel("macro", 5, "period"),
  newey_west("macro_weighted", 4, "period"),
  rows("investment"), newey_west("investment", 2), newey_west("investment", 4),
  rows("grunfeld"), clustered("grunfeld", "firm"), clustered("grunfeld", "year"), clustered("grunfeld", both),
  jackknifed("grunfeld", "firm"), jackknifed("grunfeld", "year"), refitted("grunfeld", "year"),
  panel("grunfeld", 0, TRUE), panel("grunfeld", 3, TRUE), panel("grunfeld", 0, FALSE), panel("grunfeld", 3, FALSE),
  panel("grunfeld", 19, FALSE),
  rows("warpbreaks"), constant("warpbreaks"),
  rows("titanic"), gradients("titanic"), clustered("titanic", "cabin"), refitted("titanic", "cabin"),
  newey_west("titanic", 3)
)

json <- vapply(records, toJSON, "", auto_unbox = TRUE, digits = NA, null = "null")
writeLines(c("[", paste0(json, c(rep(",", length(json) - 1), "")), "]"), file.path(here, "covariances_r.json"))
message(length(json), " records")
