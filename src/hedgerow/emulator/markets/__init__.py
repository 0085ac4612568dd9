"""Where an emulated market's prices and rates come from: generated, recorded, or a live feed."""
