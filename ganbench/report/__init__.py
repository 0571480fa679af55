"""Tables, figures and the HTML report of a study, made from collected results without torch."""
