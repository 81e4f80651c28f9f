"""One way to draw a figure (SVG), a chart, a montage of pictures, a table as text. Nothing here knows what is drawn.

From the ground up: ``scale`` (values to pixels, round ticks), ``svg`` (elements and the finished picture), ``looks``
(colours and the style sheet), ``marks`` (lines, bands, points, bars), ``plot`` (axes around marks), ``charts`` (whole
charts by kind), ``heat_map``, ``small`` (pictures in a table's cell), ``diagram`` (boxes and arrows), ``grid``
(pictures side by side); ``montage`` (pixels) and ``text`` (terminals) stand alone.
"""
