"""Dense conditional random fields: filters, solvers, reference maps and the layer.

`cryoseg_ext.crf.refinement.refine_maps` is the stage of the pipeline. It and the layer are for two classes,
particle or not, for which one map is enough.
"""
