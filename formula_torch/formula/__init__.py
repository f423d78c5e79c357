"""Floor 3: R's formula language, from text to a recipe that rebuilds the design on new data.

``dialect`` reads text, ``evaluate`` computes expressions without running code,
``functions`` lists what a formula may call, ``terms`` asks formulaic for the
algebra and the structural rank, ``recipe`` learns and remembers.
"""
