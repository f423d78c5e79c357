# Writes glm_r.json beside this file: generalized linear models by stats::glm, with robust covariances by sandwich, for
# the models of models.json and the new rows of new_rows.json.
#
# Rerun with: Rscript tests/reference/glm/glm.R
# Written by R 4.2.2 with sandwich 3.0-2, car 3.1-1, statmod 1.5.0 and jsonlite 1.8.4, which keeps 15 digits.
#
# glm stops where the deviance is the same to the last bit; it is begun again from there until the gradient, in standard
# errors, is below 1e-10 or falls no more.

suppressPackageStartupMessages({
  library(car)
  library(jsonlite)
  library(sandwich)
  library(statmod)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
models <- fromJSON(file.path(here, "models.json"), simplifyVector = FALSE)
new_rows <- fromJSON(file.path(here, "new_rows.json"))

# R has no such link; its glm takes any.
loglog <- structure(
  list(
    linkfun = function(mu) -log(-log(mu)), linkinv = function(eta) exp(-exp(-eta)),
    mu.eta = function(eta) exp(-eta - exp(-eta)), valideta = function(eta) TRUE, name = "loglog"
  ),
  class = "link-glm"
)
LINKS <- list(inverse_squared = "1/mu^2", loglog = loglog)
FAMILIES <- list(gamma = Gamma, inverse_gaussian = inverse.gaussian)
family_of <- function(model) {
  link <- if (is.null(LINKS[[model$link]])) model$link else LINKS[[model$link]]
  if (startsWith(model$family, "tweedie")) {
    return(tweedie(var.power = as.numeric(gsub("[^0-9.]", "", model$family)), link.power = 0))
  }
  make <- if (is.null(FAMILIES[[model$family]])) get(model$family) else FAMILIES[[model$family]]
  if (inherits(link, "link-glm")) return(make(link))
  eval(bquote(make(link = .(link))))
}
DISPERSED <- function(model) !model$family %in% c("binomial", "poisson")

frame_of <- function(model) {
  data <- read.csv(file.path(here, model$data), stringsAsFactors = TRUE)
  if (!identical(model$weights_type, "frequency")) return(data)
  data[rep(seq_len(nrow(data)), data[[model$weights]]), ]
}
# The climb does not stop by itself where the deviance goes to and fro in its last bit; it says so.
ENDLESS <- glm.control(epsilon = 1e-300, maxit = 200)
harmless <- "did not converge|step size truncated|non-integer #successes|stopped at boundary|rank-deficient"
quietly <- function(code) {
  withCallingHandlers(code, warning = function(w) {
    if (grepl(harmless, conditionMessage(w))) tryInvokeRestart("muffleWarning")
  })
}
call_of <- function(model) {
  weighted <- !is.null(model$weights) && !identical(model$weights_type, "frequency")
  c(
    list(quote(glm), as.formula(if (is.null(model$r)) model$formula else model$r), quote(family)),
    list(data = quote(data), control = quote(ENDLESS)),
    if (weighted) list(weights = as.name(model$weights)),
    if (!is.null(model$offset)) list(offset = as.name(model$offset)),
    if (!is.null(model$exposure)) list(offset = call("log", as.name(model$exposure))),
    if (!is.null(model$start)) list(start = unlist(model$start)),
    if (model$family == "gaussian" && model$link != "identity") {
      list(mustart = quote(rep(mean(data[[response]]), nrow(data))))
    }
  )
}
estimated <- function(model) {
  space <- new.env(parent = globalenv())
  space$data <- frame_of(model)
  space$family <- family_of(model)
  space$response <- sub(" ~.*", "", model$formula)
  call <- call_of(model)
  environment(call[[2]]) <- space
  space$fit <- quietly(eval(as.call(call), space))
  left <- gradient(model, space$fit)
  while (left > 1e-10) {
    call$start <- quote(replace(coef(fit), is.na(coef(fit)), 0))
    call$mustart <- NULL
    again <- quietly(eval(as.call(call), space))
    if (gradient(model, again) >= 0.99 * left) break
    space$fit <- again
    left <- gradient(model, again)
  }
  if (left > 1e-9) stop(model$name, ": gradient ", format(left))
  space
}
# The largest score in standard errors.
gradient <- function(model, fit) {
  kept <- vcov(fit, complete = FALSE)
  # estfun divides by another dispersion.
  squares <- sum((residuals(fit, "working") * weights(fit, "working"))^2) / sum(weights(fit, "working"))
  phi <- if (DISPERSED(model)) squares / summary(fit)$dispersion else 1
  max(abs(colSums(estfun(fit)) * phi * sqrt(diag(kept))))
}

# Our names of R's coefficients.
names_of <- function(fit, rename) {
  levels <- unlist(lapply(names(fit$xlevels), function(v) {
    setNames(paste0(v, "[T.", fit$xlevels[[v]], "]"), paste0(v, fit$xlevels[[v]]))
  }))
  levels <- c(unlist(rename), levels, "(Intercept)" = "Intercept")
  vapply(strsplit(names(coef(fit)), ":", fixed = TRUE), function(parts) {
    known <- parts %in% names(levels)
    parts[known] <- levels[parts[known]]
    paste(parts, collapse = ":")
  }, "")
}
errors <- function(V) I(unname(sqrt(diag(V))))
# Under a dependent column R's matrices lack it.
spread <- function(fit, se) I(unname(replace(coef(fit), !is.na(coef(fit)), se)))

covariances <- function(model, fit) {
  if (isTRUE(model$dependent)) return(list())
  named <- function(estimator, V, ...) list(estimator = estimator, ..., bse = errors(V))
  # sandwich counts rows of weight zero in its meat, and not in its bread.
  if (any(fit$prior.weights == 0)) return(list())
  c(
    lapply(paste0("HC", 0:3), function(kind) named(kind, vcovHC(fit, type = kind))),
    if (!DISPERSED(model)) list(named("OPG", vcovOPG(fit))),
    unlist(lapply(model$clusters, function(by) {
      by <- unlist(by)
      formula <- as.formula(paste("~", paste(by, collapse = " + ")))
      data <- environment(formula(fit))$data
      V <- function(type, cadjust) vcovCL(fit, cluster = data[by], type = type, cadjust = cadjust)
      list(
        named("Cluster", V("HC1", TRUE), by = I(by), adjust = TRUE),
        named("Cluster", V("HC0", FALSE), by = I(by), adjust = FALSE)
      )
    }), recursive = FALSE)
  )
}

predictions <- function(model, fit) {
  new <- new_rows[[basename(model$data)]]
  link <- quietly(predict(fit, new, type = "link", se.fit = TRUE))
  mean <- quietly(predict(fit, new, type = "response", se.fit = TRUE))
  values <- list(linear = link$fit, linear_se = link$se.fit, mean = mean$fit, mean_se = mean$se.fit)
  lapply(values, unname)
}

# Of five rows; numbered from 0.
rowwise <- function(model, fit) {
  if (identical(model$weights_type, "frequency")) return(NULL)
  n <- nrow(environment(formula(fit))$data)
  rows <- round(c(0.03, 0.21, 0.5, 0.77, 0.98) * n)
  used <- rows[fit$prior.weights[rows] > 0]
  # By name: influence of glm leaves out rows of weight zero.
  of <- function(values) I(unname(values[as.character(used)]))
  kinds <- c("deviance", "pearson", "working", "response")
  c(
    list(rows = I(used - 1)),
    setNames(lapply(kinds, function(kind) of(residuals(fit, kind))), paste0("resid_", kinds)),
    list(fittedvalues = of(fitted(fit)), hat = of(hatvalues(fit)), cooks = of(cooks.distance(fit)))
  )
}

# Terms in turn (R's anova), and each after all that do not contain it (car's Anova, type 2): by F where a dispersion is
# estimated, else by likelihood ratios.
tables <- function(model, fit) {
  if (!isTRUE(model$tests)) return(NULL)
  by <- if (DISPERSED(model)) "F" else "LRT"
  first <- quietly(anova(fit, test = by))[-1, ]
  second <- quietly(Anova(fit, type = 2, test.statistic = sub("LRT", "LR", by)))
  second <- second[rownames(second) != "Residuals", ]
  statistic <- if (by == "F") list(first$F, second$"F value") else list(first$Deviance, second$"LR Chisq")
  if (by == "F" && is.null(second$"F value")) statistic[[2]] <- second$F
  p <- function(table) table[[ncol(table)]]
  terms <- gsub("factor(", "C(", rownames(first), fixed = TRUE)
  list(
    test = by, terms = terms, df = first$Df, deviance = first$Deviance, statistic = statistic[[1]], p = p(first),
    second_terms = rownames(second), second_df = second$Df, second_statistic = statistic[[2]], second_p = p(second)
  )
}

record <- function(name) {
  model <- c(models[[name]], name = name)
  space <- estimated(model)
  fit <- space$fit
  text <- paste(deparse(as.call(call_of(model)), width.cutoff = 500), collapse = " ")
  about <- summary(fit)
  known <- !DISPERSED(model) || (model$family == "gaussian" && model$link == "identity")
  list(
    model = name, peer = "R 4.2.2", call = text, terms = I(names_of(fit, model$rename)), params = I(unname(coef(fit))),
    bse = spread(fit, about$coefficients[, 2]), scale = about$dispersion, deviance = deviance(fit),
    null_deviance = fit$null.deviance, df_resid = df.residual(fit), df_null = fit$df.null,
    llf = if (known) as.numeric(logLik(fit)), vcov = covariances(model, fit), new = predictions(model, fit),
    rows = rowwise(model, fit), tests = tables(model, fit)
  )
}

json <- vapply(names(models), function(name) {
  toJSON(record(name), auto_unbox = TRUE, digits = NA, null = "null", na = "null")
}, "")
writeLines(c("[", paste0(json, c(rep(",", length(json) - 1), "")), "]"), file.path(here, "glm_r.json"))
