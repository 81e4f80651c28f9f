"""One way to draw a figure, a chart, a montage of pictures. Nothing here knows what is drawn."""
