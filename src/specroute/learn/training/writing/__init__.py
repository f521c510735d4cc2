"""What training leaves on disk: the graph, the folder around it, and the model card."""
