module github.com/certwright/certwright

go 1.26
