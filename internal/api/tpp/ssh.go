package tpp

// sshRoutes are the calls about SSH certificates.
var sshRoutes = []route{}
