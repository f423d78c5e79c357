# Writes resampling_r.json beside this file: bootstrap intervals by boot.ci from 999 draws of the slope of
# expenditure on income over states, with the draws and the empirical influence values they come from.
#
# Rerun with: Rscript tests/reference/inference/resampling.R
# Written by R 4.2.2 with boot 1.3-28.1 and jsonlite 1.8.4.

suppressPackageStartupMessages({
  library(boot)
  library(jsonlite)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
states <- na.omit(read.csv(file.path(here, "public_schools.csv")))
slope <- function(data, rows) coef(lm(expenditure ~ income, data[rows, ]))[[2]]
weighted <- function(data, w) coef(lm(expenditure ~ income, cbind(data, w), weights = w))[[2]]

set.seed(1)
found <- boot(states, slope, R = 999)
influence <- empinf(data = states, statistic = weighted, stype = "w", type = "inf", eps = 1e-6)
interval <- boot.ci(found, type = c("basic", "perc", "bca"), L = influence)
write_json(list(
  estimate = found$t0, draws = as.vector(found$t), influence = as.vector(influence), basic = interval$basic[4:5],
  percentile = interval$percent[4:5], bca = interval$bca[4:5]
), file.path(here, "resampling_r.json"), digits = NA, auto_unbox = TRUE)
