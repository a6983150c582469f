"""What a face is doing: reading it off a picture, and changing it by hand."""
