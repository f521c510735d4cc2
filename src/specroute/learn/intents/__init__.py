"""What a request seems to be: its task type, its risk and its risk domain, learnt from labelled prompts."""
