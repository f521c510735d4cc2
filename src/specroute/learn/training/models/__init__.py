"""What is fitted to recorded outcomes: a linear model, a small network, and how dense the training texts lie."""
