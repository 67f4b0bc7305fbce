"""Draw curves: with characters, as SVG, and with the scales both need."""
