"""The forms that an answer can be asked for: JSON, schemas, patterns and tool calls, and the fence around JSON."""
