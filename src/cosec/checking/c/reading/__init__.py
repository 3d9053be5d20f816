"""Reading C: conditions and macros of the preprocessor, annotations that are macros of headers, syntax trees."""
