# Reference values from R's flexmix for tests/test_trajectories.py; run in this folder: Rscript trajectories.R
# The data were simulated by make_trajectories.py, which finds the maxima themselves (optima.json). Here the best of 20
# starts goes on until nothing changes in 12 digits. What is left then comes from the M-steps: sigma^2 is divided by a
# little less than the rows, glm.fit and nnet stop at relative changes of 1e-8. In "overlapping" no start finds the maximum.
suppressMessages({library(flexmix); library(jsonlite)})
linear <- y ~ t | id
quadratic <- y ~ t + I(t^2) | id
normal <- function(d) FLXMRglmfix(family = "gaussian", varFix = TRUE)
poisson <- function(d) FLXMRglm(family = "poisson")
cases <- list(
  normal = list(k = 3, formula = quadratic, driver = normal),
  poisson = list(k = 3, formula = quadratic, driver = poisson),
  logit = list(k = 2, formula = cbind(y, 1 - y) ~ t + I(t^2) | id, driver = function(d) FLXMRglm(family = "binomial")),
  membership = list(k = 2, formula = linear, driver = normal, concomitant = function() FLXPmultinom(~ male + ses)),
  weights = list(k = 3, formula = quadratic, driver = poisson, weighted = TRUE),
  exposure = list(k = 2, formula = linear, driver = function(d) FLXMRglm(family = "poisson", offset = log(d$e))),
  rare = list(k = 3, formula = linear, driver = normal),
  overlapping = list(k = 5, formula = linear, driver = normal)
)
out <- list(flexmix = as.character(packageVersion("flexmix")), R = R.version.string)
for (name in names(cases)) {
  case <- cases[[name]]
  d <- read.csv(file.path("trajectories", paste0(name, ".csv")))
  d <- d[!is.na(d$y), ]
  set.seed(1)
  options <- list(formula = case$formula, data = d, model = case$driver(d),
    concomitant = if (is.null(case$concomitant)) FLXPconstant() else case$concomitant())
  if (!is.null(case$weighted)) options$weights <- ~ w
  # Each of 20 starts runs by itself, so that it can be said how many reached the best.
  starts <- lapply(1:20, function(i) tryCatch(
    do.call(flexmix, c(options, list(k = case$k, control = list(iter.max = 500, minprior = 0)))),
    error = function(e) NULL))
  values <- vapply(starts, function(m) if (is.null(m) || m@k < case$k) -Inf else as.numeric(logLik(m)), 0)
  m <- do.call(flexmix, c(options, list(cluster = posterior(starts[[which.max(values)]]),
    control = list(tolerance = 1e-12, iter.max = 5000, minprior = 0))))
  p <- parameters(m)
  post <- posterior(m)[!duplicated(d$id), ]
  concomitant <- if (!is.null(case$concomitant)) unname(t(parameters(m, which = "concomitant")))
  sigma <- if ("sigma" %in% rownames(p)) unname(p["sigma", 1])
  out[[name]] <- Filter(Negate(is.null), list(loglik = as.numeric(logLik(m)),
    coef = unname(t(p[grepl("^coef", rownames(p)), ])), sigma = sigma, membership = concomitant,
    shares = unname(prior(m)), posterior_sums = unname(colSums(post)), starts = sort(round(values, 4), decreasing = TRUE)))
}
write_json(out, "trajectories/flexmix.json", digits = 14, auto_unbox = TRUE, pretty = TRUE)
