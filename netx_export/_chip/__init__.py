"""The chip: where a network lies on Loihi, what it breaks, what it moves, what it costs.

`profiles` has the chips, `populations` what a chip sees of a network, `mappings` how a deployed network becomes that,
`storage` the words that parts of layers take, `partition` how layers are cut, `layout` the result, `rules` the design
rules, `traffic` what moves, `assemble` the function that does it all, `picture` and `report` how it is shown, `sanafe`
what an existing simulator is given.
"""
