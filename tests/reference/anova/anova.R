# Writes anova.json and the data sets it reads beside this file.
#
# Rerun with: Rscript tests/reference/anova/anova.R
# Written by R 4.2.2 with car 3.1, MASS 7.3, sandwich 3.0, lmtest 0.9 and jsonlite 1.8.4, which keeps 15 digits.
#
# The data are those of R's packages datasets and MASS. Unbalanced designs are made of balanced
# ones by leaving out rows that are named below.

suppressPackageStartupMessages({
  library(car)
  library(jsonlite)
  library(lmtest)
  library(sandwich)
})
invisible(Sys.setlocale("LC_COLLATE", "C")) # levels in code point order, as ours
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))

plain <- function(frame) as.data.frame(lapply(frame, function(x) if (is.factor(x)) as.character(x) else x))
shipped <- list(
  warpbreaks = datasets::warpbreaks[-c(2, 3, 11, 30, 31, 32), ],
  mtcars = cbind(car = rownames(datasets::mtcars), datasets::mtcars),
  toothgrowth = datasets::ToothGrowth[-c(1, 5, 9, 33, 34, 60), ],
  npk = datasets::npk[-c(3, 10), ],
  genotype = MASS::genotype,
  quine = MASS::quine # no F3 that learns slowly: cells are empty
)
for (name in names(shipped)) {
  write.csv(plain(shipped[[name]]), file.path(here, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
frames <- lapply(names(shipped), function(name) {
  read.csv(file.path(here, paste0(name, ".csv")), stringsAsFactors = TRUE)
})
names(frames) <- names(shipped)

model <- function(formula, data, weights = NULL, offset = NULL) {
  extra <- Filter(Negate(is.null), list(weights = weights, offset = offset))
  call <- as.call(c(list(quote(lm), as.formula(formula), data = quote(frames[[data]])), lapply(extra, str2lang)))
  eval(call, list(data = data, frames = frames))
}
table_of <- function(table) {
  list(rows = rownames(table), columns = names(table), values = unname(as.matrix(as.data.frame(table))))
}

# -- tables of one model: our formula, and R's where contrasts are spelled otherwise -----------------

case <- function(data, formula, r = formula, weights = NULL, offset = NULL, types = 1:3, vcov = FALSE) {
  fit <- model(r, data, weights, offset)
  environment(fit$terms) <- environment()
  tables <- list()
  if (1 %in% types) tables[["1"]] <- table_of(anova(fit))
  for (type in intersect(types, 2:3)) {
    tables[[as.character(type)]] <- table_of(Anova(fit, type = type, singular.ok = TRUE))
  }
  robust <- list()
  if (vcov) {
    for (type in intersect(types, 2:3)) {
      for (kind in c("HC1", "HC3")) {
        table <- Anova(fit, type = type, vcov. = vcovHC(fit, type = kind))
        robust[[paste(kind, type)]] <- table_of(table)
      }
    }
  }
  dropped <- drop1(fit, test = "F")
  list(
    data = data, formula = formula, weights = weights, offset = offset, tables = tables, robust = robust,
    drop1 = table_of(dropped)
  )
}
sum_coded <- function(...) {
  factors <- c(...)
  setNames(rep(list("contr.sum"), length(factors)), factors)
}
with_sums <- function(data, formula, r, factors, ...) {
  for (f in factors) contrasts(frames[[data]][[f]]) <<- contr.sum(nlevels(frames[[data]][[f]]))
  made <- case(data, formula, r, ...)
  for (f in factors) contrasts(frames[[data]][[f]]) <<- contr.treatment(levels(frames[[data]][[f]]))
  made
}
cases <- list(
  case("warpbreaks", "breaks ~ wool * tension", vcov = TRUE),
  with_sums("warpbreaks", "breaks ~ C(wool, Sum) * C(tension, Sum)", "breaks ~ wool * tension", c("wool", "tension"),
    vcov = TRUE
  ),
  case("warpbreaks", "breaks ~ tension + wool", types = 1:3, vcov = TRUE),
  case("warpbreaks", "breaks ~ wool + tension - 1", types = 1:2),
  case("mtcars", "mpg ~ wt * factor(cyl) + hp", vcov = TRUE),
  case("mtcars", "mpg ~ wt * factor(cyl) + hp", weights = "qsec", vcov = TRUE),
  case("mtcars", "mpg ~ poly(hp, 2) + factor(gear) * am + disp", types = 1:2), # gears 3 and 5 have one kind of am
  case("mtcars", "mpg ~ poly(hp, 2) + factor(gear) + am + disp", vcov = TRUE),
  case("mtcars", "mpg ~ hp + wt + I(wt^2)", weights = "disp", offset = "drat"),
  case("mtcars", "mpg ~ disp + I(2 * disp) + wt", types = 1:2),
  case("toothgrowth", "len ~ supp * dose"),
  case("toothgrowth", "len ~ supp * factor(dose)", vcov = TRUE),
  with_sums("toothgrowth", "len ~ C(supp, Sum) * dose", "len ~ supp * dose", "supp"),
  case("npk", "yield ~ factor(block) + N * P * K", types = 1:2), # N:P:K is confounded with blocks
  case("npk", "yield ~ N * P + P * K"),
  case("genotype", "Wt ~ Litter * Mother", vcov = TRUE),
  with_sums("genotype", "Wt ~ C(Litter, Sum) * C(Mother, Sum)", "Wt ~ Litter * Mother", c("Litter", "Mother")),
  case("quine", "log(Days + 2.5) ~ Eth + Sex + Age * Lrn", types = 1:2),
  case("quine", "Days ~ Eth * Sex * Age * Lrn", types = 1:2)
)

# -- tables of several models -----------------------------------------------------------------------

several <- function(data, formulas, weights = NULL, kinds = c(HC1 = "HC1", HC3 = "HC3")) {
  fits <- lapply(formulas, model, data, weights)
  robust <- lapply(kinds, function(kind) {
    pairs <- lapply(seq_along(fits)[-1], function(i) {
      tested <- waldtest(fits[[i - 1]], fits[[i]], vcov = vcovHC(fits[[i]], type = kind))
      unlist(tested[2, c("Df", "F", "Pr(>F)")])
    })
    unname(do.call(rbind, pairs))
  })
  lr <- vapply(seq_along(fits)[-1], function(i) unlist(lrtest(fits[[i - 1]], fits[[i]])[2, 3:5]), numeric(3))
  list(
    data = data, formulas = formulas, weights = weights,
    table = table_of(do.call(anova, fits)), robust = robust, lr = unname(t(lr)),
    ic = lapply(fits, function(fit) c(logLik(fit), AIC(fit), BIC(fit), summary(fit)$sigma, summary(fit)$r.squared))
  )
}
models <- list(
  several("mtcars", c("mpg ~ wt", "mpg ~ wt + hp", "mpg ~ wt * hp + factor(cyl)")),
  several("mtcars", c("mpg ~ wt", "mpg ~ wt + hp", "mpg ~ wt * hp + factor(cyl)"), weights = "qsec"),
  several("warpbreaks", c("breaks ~ 1", "breaks ~ wool", "breaks ~ wool * tension")),
  several("quine", c("Days ~ Eth + Age", "Days ~ Eth * Age", "Days ~ Eth * Sex * Age * Lrn"), kinds = c(HC1 = "HC1")) # rows of leverage 1
)
# A coefficient that is fixed is an offset: anova() and not waldtest().
fixed <- {
  frame <- frames$mtcars
  small <- lm(mpg ~ wt, frame, offset = -0.03 * hp)
  large <- lm(mpg ~ wt + hp, frame)
  table_of(anova(small, large))
}

# -- predictions ------------------------------------------------------------------------------------

predicted <- function(data, formula, new, weights = NULL, at = 1) {
  fit <- model(formula, data, weights)
  intervals <- function(kind, level) {
    unname(as.matrix(suppressWarnings(predict(fit, new, interval = kind, level = level, weights = at))))
  }
  list(
    data = data, formula = formula, weights = weights, at = at, new = new,
    se = unname(suppressWarnings(predict(fit, new, se.fit = TRUE))$se.fit),
    confidence = intervals("confidence", 0.95), prediction = intervals("prediction", 0.9)
  )
}
cars <- data.frame(wt = c(2, 3.1, 5), cyl = c(4L, 8L, 6L), hp = c(100, 110.5, 240))
predictions <- list(
  predicted("mtcars", "mpg ~ wt + factor(cyl) * hp", cars),
  predicted("mtcars", "mpg ~ wt + factor(cyl) * hp", cars, weights = "qsec"),
  predicted("mtcars", "mpg ~ wt + factor(cyl) * hp", cars, weights = "qsec", at = c(1, 2, 17.5)),
  predicted("mtcars", "mpg ~ poly(hp, 3) + log(wt)", cars),
  predicted("toothgrowth", "len ~ supp * poly(dose, 2)", data.frame(supp = c("OJ", "VC"), dose = c(1.5, 0.7)))
)

write_json(
  list(cases = cases, models = models, fixed = fixed, predictions = predictions),
  file.path(here, "anova.json"),
  digits = NA, auto_unbox = TRUE, na = "null", null = "null", pretty = 1
)
