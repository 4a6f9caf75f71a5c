"""What happened: one record per call, refused ones too, never the contents."""
