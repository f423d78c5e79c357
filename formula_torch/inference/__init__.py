"""Floor 4: inference from moments, blind to the model they come from."""
