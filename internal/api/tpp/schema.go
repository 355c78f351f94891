package tpp

// schemaRoutes are the calls about classes and attributes.
var schemaRoutes = []route{}
