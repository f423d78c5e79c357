# Writes the CSV files of this folder that come with R packages; data.py writes those that come with statsmodels.
#
# Rerun with: Rscript tests/reference/inference/data.R
# Written by R 4.2.2 with sandwich 3.0-2, AER 1.2-10 and plm 2.6-2.

suppressPackageStartupMessages({
  library(sandwich)
  library(AER)
  library(plm)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
save <- function(data, name) {
  write.csv(data, file.path(here, name), row.names = FALSE, quote = FALSE, na = "") # 15 digits
}
data(PetersenCL, PublicSchools, Investment, package = "sandwich")
data(CASchools, package = "AER")
data(EmplUK, package = "plm")

# The numbers are single precision: 9 digits.
save(transform(PetersenCL, x = signif(x, 9), y = signif(y, 9)), "petersen.csv")

# In units of 10,000 dollars, as the vignette of sandwich has it.
schools <- data.frame(
  state = gsub(" ", "_", rownames(PublicSchools)),
  expenditure = PublicSchools$Expenditure,
  income = PublicSchools$Income / 10000
)
save(schools, "public_schools.csv")

save(data.frame(year = as.numeric(time(Investment)), as.data.frame(Investment)), "investment.csv")

kept <- c("county", "grades", "students", "expenditure", "income", "english", "lunch", "read", "math")
save(CASchools[kept], "california_schools.csv")

single <- c("emp", "wage", "capital", "output")
EmplUK[single] <- lapply(EmplUK[single], signif, 9)
save(as.data.frame(EmplUK), "employment.csv")

save(warpbreaks, "warpbreaks.csv")

titanic <- as.data.frame(Titanic)
save(
  data.frame(
    cabin = titanic$Class, sex = titanic$Sex, age = titanic$Age,
    survived = as.integer(titanic$Survived == "Yes"), people = titanic$Freq
  ),
  "titanic.csv"
)
