// How the search weighs what it finds: Sphinx's own weights; chapters come first, then pages, then the API.
var Scorer = {
  score: ([page, , , , score]) => score + (page.startsWith("_executed/") ? 1000 : page === "book/api" ? -1000 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
