"""`orbweb images --to`: images with their captions, as data sets for training.

`imagefolder` is the layout of that name of the library `datasets` (Hugging Face);
`webdataset` the tar files of WebDataset, with the keys that img2dataset gives. Both are
read without a script. The bytes of a picture are as they were downloaded, and each is
there once: of several URLs with the same bytes the first counts.

SVG, HEIC and JPEG XL are left out: the readers decode by Pillow, which can't open them.
"""
