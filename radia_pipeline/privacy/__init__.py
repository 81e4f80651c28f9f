"""Who could be recognised: policy, header, every byte of a file, print in pixels, free text. It changes nothing."""
