package names

import "github.com/certwright/certwright/internal/clm"

// RuleTexts are the texts of broken rules (page POST Certificates/Renew). Values
// stand in single quotes, also when they are empty, as real servers send them. {value} stands for the value that broke the rule.
var RuleTexts = map[clm.RuleName]string{
	clm.RuleLocality:      "City error. City value '{value}' violates policy city settings.",
	clm.RuleWhitelistCN:   "Common name error. Certificate common name '{value}' violates whitelist domain policy settings.",
	clm.RuleWildcardCN:    "Common name error. Certificate common name contains a wildcard symbol that violates policy settings.",
	clm.RuleCountry:       "Country error. Country value '{value}' violates policy country settings.",
	clm.RuleWildcardDNS:   "DNS SAN error. Subject alternative name DNS '{value}' contains a wildcard symbol that violates policy settings.",
	clm.RuleDNS:           "DNS SAN error. Subject alternative name DNS violates policy settings.",
	clm.RuleCurve:         "Elliptic curve error. Elliptic curve value violates policy settings.",
	clm.RuleEmail:         "Email SAN error. Subject alternative name Email violates policy settings.",
	clm.RuleIP:            "IP Address SAN error. Subject alternative name IP violates policy settings.",
	clm.RuleUPN:           "UPN SAN error. Subject alternative name UPN violates policy settings.",
	clm.RuleURI:           "URI SAN error. Subject alternative name URI violates policy settings.",
	clm.RuleKeyAlgorithm:  "Key algorithm error. Key algorithm violates policy settings.",
	clm.RuleKeySize:       "Key size error. Key size violates policy settings.",
	clm.RuleOrganization:  "Organization error. Organization value '{value}' violates policy organization settings.",
	clm.RuleUnitMissing:   "Organization unit error. Organization unit value '{value}' is missing from the organization unit list.",
	clm.RuleUnitForbidden: "Organization unit error. Organization unit value '{value}' violates policy organization unit settings.",
	clm.RuleProvince:      "State error. State value '{value}' violates policy state settings.",
	clm.RuleWhitelistDNS:  "SANs error. Subject alternative names '{value}' violate policy settings.",
	clm.RuleSubject:       "Subject error. Common name '{value}' is in the subject of another certificate and violates policy unique subject settings.",
	clm.RuleKeyReuse:      "This CSR appears to reuse a private key. Private key reuse has not been allowed.",
}
