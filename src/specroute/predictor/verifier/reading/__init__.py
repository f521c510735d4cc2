"""What can be seen in a prompt and an answer without understanding them: numbers, options, tools, the stated answer."""
