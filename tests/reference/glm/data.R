# Writes the CSV files of this folder that come with R packages; data.py writes those that come with statsmodels.
#
# Rerun with: Rscript tests/reference/glm/data.R
# Written by R 4.2.2 with AER 1.2-10, MASS 7.3-58.2 and pscl 1.5.5.

suppressPackageStartupMessages({
  library(AER)
  library(MASS)
  library(pscl)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
save <- function(data, name) {
  write.csv(data, file.path(here, name), row.names = FALSE, quote = FALSE, na = "") # 15 digits
}
data(Affairs, ShipAccidents, CPS1985, package = "AER")
data(bioChemists, package = "pscl")

save(transform(Affairs, any = as.integer(affairs > 0)), "affairs.csv")

# Ships that were at sea. The logarithm of the months is cut to ten digits, which any reader takes as the same number.
ships <- subset(ShipAccidents, service > 0)
save(transform(ships, log_service = round(log(service), 10)), "ships.csv")

articles <- transform(bioChemists, phd = round(phd, 2)) # single precision
save(articles, "biochemists.csv")

save(transform(housing, high = as.integer(Sat == "High")), "housing.csv")

# Levels of race as the help page names them.
births <- transform(birthwt, race = c("white", "black", "other")[race])
save(births, "birthwt.csv")

# Age and engine as names: they are ordered factors there.
districts <- with(Insurance, data.frame(
  district = paste0("D", District), engine = c("A", "B", "C", "D")[Group], age = c("a25", "a29", "a35", "over35")[Age],
  holders = Holders, claims = Claims, others = Holders - Claims
))
save(districts, "insurance.csv")

wages <- CPS1985[c("wage", "education", "experience", "age", "gender", "union", "region", "occupation", "sector")]
save(wages, "wages.csv")
