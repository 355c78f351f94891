package tpp

// teamRoutes are the calls about teams.
var teamRoutes = []route{}
