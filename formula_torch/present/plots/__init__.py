"""Pictures of fits by matplotlib, which is imported when one is drawn.

Every function takes axes or makes them, and returns them. Axes that are passed keep their
own style, and nothing but them is touched.
"""
