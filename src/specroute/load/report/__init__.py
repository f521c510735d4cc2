"""What is told of a load run: ``document`` (JSON), ``rows_file`` (CSV), ``terminal``, and ``page`` with ``charts``."""
