package tpp

// permissionRoutes are the calls about rights.
var permissionRoutes = []route{}
