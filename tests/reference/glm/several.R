# Writes several_r.json beside this file: models of several parameters by MASS, pscl, ordinal, nnet and glmmTMB, for
# those of several_models.json.
#
# Rerun with: Rscript tests/reference/glm/several.R
# Written by R 4.2.2 with MASS 7.3-58.2, pscl 1.5.5, nnet 7.3-18, ordinal 2022.11-16, glmmTMB 1.1.5 and jsonlite 1.8.4,
# which keeps 15 digits.
#
# The numbers of a record are those of glmmTMB, clm or a multinomial logit after steps of Newton's with the exact
# Hessian, to a gradient below 1e-9 in standard errors; the covariance is the inverse of that Hessian: observed
# information. What MASS, pscl and nnet found is asked to be the same maximum, as far as they climbed; `peers` says how
# far off they were, in standard errors.

suppressPackageStartupMessages({
  library(glmmTMB)
  library(jsonlite)
  library(MASS)
  library(nnet)
  library(ordinal)
  library(pscl)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
models <- fromJSON(file.path(here, "several_models.json"), simplifyVector = FALSE)

frame_of <- function(model) {
  data <- read.csv(file.path(here, model$data), stringsAsFactors = TRUE)
  response <- sub(" ~.*", "", model$formula)
  if (!is.null(model$levels)) data[[response]] <- factor(data[[response]], unlist(model$levels), ordered = TRUE)
  if (is.null(model$weights)) return(data)
  data[rep(seq_len(nrow(data)), data[[model$weights]]), ]
}
ours <- function(names, data) {
  factors <- Filter(is.factor, data)
  levels <- unlist(lapply(names(factors), function(v) {
    setNames(paste0(v, "[T.", levels(factors[[v]]), "]"), paste0(v, levels(factors[[v]])))
  }))
  known <- names %in% names(levels)
  names[known] <- levels[names[known]]
  I(sub("(Intercept)", "Intercept", names, fixed = TRUE))
}

# Newton's steps from `par`: gradient and Hessian are those of minus the log-likelihood.
climbed <- function(par, gradient, hessian) {
  for (i in 1:50) {
    h <- hessian(par)
    g <- gradient(par)
    if (max(abs(g) * sqrt(diag(solve(h)))) < 1e-12) break
    par <- par - solve(h, g)
  }
  cov <- solve(hessian(par))
  stopifnot(max(abs(gradient(par)) * sqrt(diag(cov))) < 1e-9)
  list(par = unname(par), cov = unname((cov + t(cov)) / 2))
}
# How far what a peer found is from the maximum.
compared <- function(call, found, llf, solution, at = seq_along(found), within = 1e-3) {
  off <- max(abs(unname(found) - solution$par[at]) / sqrt(diag(solution$cov))[at])
  below <- solution$llf - llf
  stopifnot(off < within, abs(below) < within^2)
  list(call = call, off = off, llf = as.numeric(llf))
}

# -- counts and shares by glmmTMB: coefficients, those of zeros, and the logarithm of the dispersion

COUNTS <- list(
  nb2 = nbinom2, nb1 = nbinom1, zip = poisson, zinb = nbinom2,
  hurdle_poisson = truncated_poisson, hurdle_nb2 = truncated_nbinom2
)
exposed <- function(model) {
  extra <- if (!is.null(model$exposure)) paste0(" + offset(log(", model$exposure, "))")
  as.formula(paste0(model$formula, extra), globalenv())
}
mixed <- function(model, data) {
  family <- if (model$family == "beta") beta_family(link = model$link) else COUNTS[[model$family]]()
  formula <- exposed(model)
  zeros <- if (is.null(model$inflation)) ~0 else as.formula(model$inflation)
  fit <- suppressWarnings(glmmTMB(formula, ziformula = zeros, family = family, data = data))
  solution <- climbed(fit$fit$par, function(p) as.vector(fit$obj$gr(p)), fit$obj$he)
  solution$llf <- -as.numeric(fit$obj$fn(solution$par))
  parts <- names(fit$fit$par)
  # glmmTMB has the probability of a zero, pscl and we that of passing the hurdle.
  sign <- ifelse(startsWith(model$family, "hurdle") & parts == "betazi", -1, 1)
  solution$par <- sign * solution$par
  solution$cov <- sign * solution$cov * rep(sign, each = length(sign))
  c(solution, list(
    terms = ours(names(fixef(fit)$cond), data), zero_terms = ours(names(fixef(fit)$zi), data),
    dispersion = any(parts == "betad")
  ))
}
TIGHT <- glm.control(epsilon = 1e-14, maxit = 200)

# glm.nb: its errors hold theta fixed, and are left out.
by_mass <- function(model, data, solution) {
  fit <- eval(call("glm.nb", exposed(model), data = quote(data), control = quote(TIGHT)))
  compared("MASS::glm.nb", c(coef(fit), log(fit$theta)), logLik(fit), solution)
}
by_pscl <- function(model, data, solution) {
  hurdle <- startsWith(model$family, "hurdle")
  make <- if (hurdle) pscl::hurdle else pscl::zeroinfl
  dist <- if (solution$dispersion) "negbin" else "poisson"
  formula <- as.formula(paste(model$formula, "|", sub("~", "", model$inflation)), environment())
  # zeroinfl's EM = TRUE ends in an error in this version.
  control <- if (hurdle) hurdle.control else zeroinfl.control
  fit <- suppressWarnings(make(formula, data = data, dist = dist, control = control(reltol = 1e-15, maxit = 1e5)))
  found <- c(coef(fit, "count"), coef(fit, "zero"), if (solution$dispersion) log(fit$theta))
  name <- if (hurdle) "pscl::hurdle" else "pscl::zeroinfl"
  compared(name, found, logLik(fit), solution)
}
counted <- function(model) {
  data <- frame_of(model)
  solution <- mixed(model, data)
  peers <- if (model$family == "nb2") {
    list(by_mass(model, data, solution))
  } else if (!is.null(model$inflation)) {
    list(by_pscl(model, data, solution))
  }
  k <- length(solution$terms)
  z <- length(solution$zero_terms)
  last <- solution$par[k + z + 1]
  list(
    terms = solution$terms, params = I(solution$par[seq_len(k)]), zero_terms = solution$zero_terms,
    zero_params = I(solution$par[k + seq_len(z)]), log_dispersion = if (solution$dispersion) last,
    cov = solution$cov, llf = solution$llf, peers = peers
  )
}

# -- ordered outcomes by clm: thresholds, then coefficients, P(y <= k) = F(threshold - x'b)

ordered_fit <- function(model) {
  data <- frame_of(model)
  formula <- as.formula(model$formula, environment())
  control <- clm.control(gradTol = 1e-13, maxIter = 200, convergence = "silent")
  fit <- clm(formula, data = data, link = model$link, control = control)
  stopifnot(max(abs(fit$gradient) * sqrt(diag(vcov(fit)))) < 1e-9)
  solution <- list(par = unname(coef(fit)), cov = unname(vcov(fit)), llf = as.numeric(logLik(fit)))
  method <- c(logit = "logistic", probit = "probit")[[model$link]]
  polr_fit <- polr(formula, data, method = method, control = list(reltol = 1e-15, maxit = 1e5))
  cuts <- length(fit$alpha)
  list(
    thresholds = I(solution$par[seq_len(cuts)]), terms = ours(names(fit$beta), data),
    params = I(solution$par[-seq_len(cuts)]), cov = solution$cov, llf = solution$llf,
    peers = list(compared("MASS::polr", c(polr_fit$zeta, coef(polr_fit)), logLik(polr_fit), solution))
  )
}

# -- multinomial logit: coefficients of the second level, then of the third, ..., against the first

softmax <- function(X, y, par) {
  eta <- cbind(0, X %*% matrix(par, ncol(X)))
  P <- exp(eta - apply(eta, 1, max))
  P / rowSums(P)
}
multinomial_fit <- function(model) {
  data <- frame_of(model)
  formula <- as.formula(model$formula, environment())
  fit <- multinom(formula, data = data, reltol = 1e-14, maxit = 1000, trace = FALSE)
  X <- model.matrix(formula, data)
  y <- model.response(model.frame(formula, data))
  classes <- levels(y)
  Y <- outer(as.integer(y), seq_along(classes), "==")
  gradient <- function(par) as.vector(crossprod(X, softmax(X, y, par) - Y)[, -1])
  hessian <- function(par) {
    P <- softmax(X, y, par)[, -1, drop = FALSE]
    blocks <- lapply(seq_len(ncol(P)), function(a) {
      do.call(cbind, lapply(seq_len(ncol(P)), function(b) crossprod(X, X * (P[, a] * ((a == b) - P[, b])))))
    })
    do.call(rbind, blocks)
  }
  found <- as.vector(t(rbind(coef(fit))))
  solution <- climbed(found, gradient, hessian)
  solution$llf <- sum(log(softmax(X, y, solution$par)[Y]))
  list(
    classes = classes, terms = ours(colnames(X), data), params = matrix(solution$par, ncol(X)), cov = solution$cov,
    llf = solution$llf, peers = list(compared("nnet::multinom", found, logLik(fit), solution))
  )
}

record <- function(name) {
  model <- models[[name]]
  make <- list(ordered = ordered_fit, multinomial = multinomial_fit)[[model$family]]
  if (is.null(make)) make <- counted
  c(list(model = name), make(model))
}
json <- vapply(names(models), function(name) {
  toJSON(record(name), auto_unbox = TRUE, digits = NA, null = "null", na = "null")
}, "")
writeLines(c("[", paste0(json, c(rep(",", length(json) - 1), "")), "]"), file.path(here, "several_r.json"))
