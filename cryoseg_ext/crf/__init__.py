"""Dense conditional random fields: filters, solvers, reference maps and the layer.

`cryoseg_ext.crf.refinement.refine_maps` is the stage of the pipeline. It and the layer are for two classes,
particle or not; `cryoseg_ext.crf.classes.frank_wolfe_classes` solves for any number of classes.
"""
