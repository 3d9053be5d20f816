"""Models of code outside the analysed file: where text comes in, what calls return, what tests show."""
