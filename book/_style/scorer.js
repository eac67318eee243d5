// How the search weighs what it finds: Sphinx's own weights; chapters come first, then pages, then the API.
// The table of claims names nearly everything that a chapter explains, and comes after them.
var Scorer = {
  score([page, , , , score]) {
    if (page === "_executed/15_claims") return score + 500;
    if (page === "book/api") return score - 1000;
    return page.startsWith("_executed/") ? score + 1000 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
