package names

// Functions are what an account may be allowed to do, by the words by which estate files
// and the dialects know it.
var Functions = []string{
	"view", "create", "renew", "regenerate", "reissue", "revoke", "suspend", "reinstate", "download", "download-key", "upload", "delete",
	"approve", "push", "manage-groups",
}
