"""What is told and changes nothing: status, explain, history, previews, doctor."""
