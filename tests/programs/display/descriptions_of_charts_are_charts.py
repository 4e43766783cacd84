import numpy as np

display({"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "bar", "data": {"values": [{"a": np.int64(1)}]}})


class Plotly:
    def to_plotly_json(self):
        return {"data": [{"type": "bar", "x": np.array([1, 2]), "y": [np.float64(3), 4]}], "layout": {}}


class Altair:
    def to_dict(self):
        return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "mark": "point"}


class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/vnd.vegalite.v5+json": {"mark": "bar"}, "text/plain": "a bar"}


display(Plotly())
display(Altair())
Bundle()
