"""What the sections of the configuration are made of: values, and what every section shares."""
