"""An independent reading of the domain's rules: which mail is clear, and else why not, by raw events alone.

It shares no code with the product. It knows neither tokens nor spellings: whoever makes the events says where each
token is (`Place`). It leaves out packs of other countries.
"""
