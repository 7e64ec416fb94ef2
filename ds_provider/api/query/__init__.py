"""What is asked: windows, selections, and the GraphQL operations they become."""
