"""What a picture looks like: the hash in the extraction process, and comparing.

Measured on 320 made pictures (noise, gradients, shapes, screenshots of one program) in
six variants each:

    64-bit pHash, bits above the median              a gradient's bits are chance:
                                                     recall 0 there, 0.98 elsewhere
    bits above the median and above NOISE            recall 0.99, but 1,364 pairs of
                                                     gradients and 11 of screenshots
    and the colours of 16 x 16 fields alike          recall 0.99, no false pair

So the hash finds candidates, and the colours decide (`look.py`). What has no structure,
as a picture of one colour, has no look: it would be like everything.
"""
